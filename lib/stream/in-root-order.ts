/**
 * Emits records in the order of their root, so that tasks that number or fold records do it in the same order in each
 * incarnation of a run.
 *
 * Guarantees: records that come in order are emitted at once, without a copy. Records that come early are held. At most
 * the root's span of records is held, because each lineage flows along each edge, and no lineage is born further ahead.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import type { RootLedger } from '../ledger/ledger.js';
import { BatchBuilder, type Batch, type Gone, type Lineage } from '../model/record.js';
import { NumberOrder } from './number-order.js';
import { operate, type Engine } from './operate.js';

export function inRootOrder<T>(root: RootLedger): OperatorFunction<Batch<T>, Batch<T>> {
  return operate((subscriber) => new RootOrder(root.watermark, subscriber));
}

class RootOrder<T> implements Engine<T> {
  private readonly order: NumberOrder<T | Gone>;
  private readonly subscriber: Subscriber<Batch<T>>;

  constructor(first: Lineage, subscriber: Subscriber<Batch<T>>) {
    this.order = new NumberOrder(first);
    this.subscriber = subscriber;
  }

  accept(batch: Batch<T>): void {
    const { order } = this;
    if (order.size === 0 && isConsecutive(batch.lineages, order.next)) {
      order.advance(batch.length);
      this.subscriber.next(batch);
      return;
    }
    for (let i = 0; i < batch.length; i++) order.hold(batch.lineages[i] as Lineage, batch.values[i] as T | Gone);
    const ready = new BatchBuilder<T>();
    while (order.isReady) {
      ready.push(order.next, order.release());
      order.advance();
    }
    if (ready.length > 0) this.subscriber.next(ready.build());
  }

  endInput(): void {
    this.subscriber.complete();
  }
}

/** Whether the lineages are consecutive numbers that begin with `first`. */
function isConsecutive(lineages: readonly Lineage[], first: Lineage): boolean {
  for (let i = 0; i < lineages.length; i++) if (lineages[i] !== first + i) return false;
  return true;
}
