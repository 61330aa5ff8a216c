/**
 * Hands records on in the order of their root, so that what numbers or folds them does it alike in every life of a run.
 *
 * Promises: what comes in order is handed on as it comes, without a copy; what comes early is held, at most the root's
 * span of it, because every lineage flows along every edge and none is born further ahead.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import type { RootLedger } from '../ledger/ledger.js';
import { BatchBuilder, type Batch, type Gone, type Lineage } from '../model/record.js';
import { observe } from './observe.js';

export function inRootOrder<T>(root: RootLedger): OperatorFunction<Batch<T>, Batch<T>> {
  return (input$) =>
    new Observable((subscriber) => {
      let next = root.watermark;
      const early = new Map<Lineage, T | Gone>();
      observe(
        input$,
        subscriber,
        (batch) => {
          if (early.size === 0 && isRun(batch.lineages, next)) {
            next += batch.length;
            subscriber.next(batch);
            return;
          }
          for (let i = 0; i < batch.length; i++) early.set(batch.lineages[i] as Lineage, batch.values[i] as T | Gone);
          const ready = new BatchBuilder<T>();
          for (; early.has(next); next++) {
            ready.push(next, early.get(next) as T | Gone);
            early.delete(next);
          }
          if (ready.length > 0) subscriber.next(ready.take());
        },
        () => {
          subscriber.complete();
        },
      );
    });
}

/** Whether these are the lineages from `first` on, one after the other. */
function isRun(lineages: readonly Lineage[], first: Lineage): boolean {
  for (let i = 0; i < lineages.length; i++) if (lineages[i] !== first + i) return false;
  return true;
}
