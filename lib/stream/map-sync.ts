/**
 * Runs a small synchronous function over the records of each batch, inline.
 *
 * Guarantees: a throw ends only its own record, by the failure policy.
 */
import type { OperatorFunction } from 'rxjs';
import type { RecordContext } from '../model/ports.js';
import type { TaskScope } from './task-scope.js';
import { GONE, isGone, SKIP_BRAND, type Batch, type Gone, type Skip } from '../model/record.js';
import type { Branded } from '../model/shared-class.js';
import { syncOperator, type SyncWork } from './sync-mapper.js';

/** The work on one record, and its context: one object, whose lineage is set before each call. */
export interface SyncStep<In, Out> {
  readonly run: (record: In, context: RecordContext) => Out | Skip;
  readonly context: RecordContext & { lineage: number };
}

export function mapSync<In, Out>(step: SyncStep<In, Out>, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
  return syncOperator(() => new OneTask(step, scope));
}

class OneTask<In, Out> implements SyncWork<In, Out> {
  readonly first: TaskScope;
  readonly last: TaskScope;
  private readonly step: SyncStep<In, Out>;

  constructor(step: SyncStep<In, Out>, scope: TaskScope) {
    this.step = step;
    this.first = this.last = scope;
  }

  run(batch: Batch<In>, at: number, until: number, outputs: (Out | Gone)[], offset: number): number {
    const scope = this.first;
    const { run, context } = this.step;
    const { lineages, values } = batch;
    let gone = 0;
    let i = at;
    // The try is outside the inner loop: a throw ends one record, and the loop restarts after it. A try per record is
    // slow.
    while (i < until) {
      try {
        for (; i < until; i++) {
          const value = values[i] as In | Gone;
          if (isGone(value)) {
            outputs[i - offset] = GONE;
            gone++;
            continue;
          }
          context.lineage = lineages[i] as number;
          const result = run(value, context);
          if (typeof result === 'object' && result !== null && (result as Branded)[SKIP_BRAND] === true) {
            outputs[i - offset] = scope.skip((result as Skip).reason);
            gone++;
          } else outputs[i - offset] = result as Out;
        }
      } catch (error) {
        const failure = { lineage: lineages[i] as number, record: values[i], error, attempts: 1 };
        const left = scope.giveUp(failure) as Out | Gone;
        outputs[i - offset] = left;
        if (left === GONE) gone++;
        i++;
      }
    }
    return gone;
  }

  recordTime(startedAtMs: number, nowMs: number, slots: number, queuedMs: number): void {
    const scope = this.first;
    scope.account.worked(startedAtMs, nowMs);
    scope.sampleLatency((nowMs - startedAtMs) / slots);
    scope.sampleQueueing(queuedMs);
  }
}
