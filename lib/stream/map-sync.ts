/**
 * Runs a small synchronous function over the records of each batch, inline.
 *
 * Promises: one output slot per input slot, in order; a throw ends its own record by the failure policy, and the others
 * go on; a batch that takes longer than the slice is cut, the rest goes on in the next turn of the event loop.
 */
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import { FatalTaskError } from '../core/errors.js';
import { Batch, GONE, Skip, type Gone } from '../core/record.js';
import { Ring } from '../core/ring.js';
import { observe } from './observe.js';
import { isPromiseLike } from './pump-root.js';
import type { RecordContext, TaskScope } from '../core/ports.js';

/** The work on one record, and the context it gets: one object, told the lineage before every call. */
export interface SyncStep<In, Out> {
  readonly run: (record: In, context: RecordContext) => Out | Skip;
  readonly context: RecordContext & { lineage: number };
}

/** How much work may lie between two looks at the clock, in milliseconds. */
const LOOK_EVERY_MS = 2;
const MAX_RECORDS_BETWEEN_LOOKS = 512;

export function mapSync<In, Out>(step: SyncStep<In, Out>, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
  return (input$) =>
    new Observable((subscriber) => {
      const mapper = new SyncMapper(step, scope, subscriber);
      observe(
        input$,
        subscriber,
        (batch) => {
          mapper.take(batch);
        },
        () => {
          mapper.finish();
        },
      );
    });
}

class SyncMapper<In, Out> {
  private readonly step: SyncStep<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  /** Batches that came while an earlier one was cut; the window bounds their number. */
  private readonly queue: Ring<Batch<In>>;
  private queuedRecords = 0;
  /** When each queued batch came, and the current one. */
  private readonly arrivals: Ring<number>;
  private arrivedAtMs: number | undefined;
  private current: Batch<In> | undefined;
  private at = 0;
  private isInputOver = false;
  /** How many records to run between two looks at the clock, from what they cost so far. */
  private stretch = 1;

  constructor(step: SyncStep<In, Out>, scope: TaskScope, subscriber: Subscriber<Batch<Out>>) {
    this.step = step;
    this.scope = scope;
    this.subscriber = subscriber;
    this.queue = new Ring(scope.root.window);
    this.arrivals = new Ring(scope.root.window);
    scope.account.watch(() => ({
      queued: this.queuedRecords + (this.current === undefined ? 0 : countRecords(this.current, this.at)),
      running: 0,
      waiting: 0,
    }));
  }

  take(batch: Batch<In>): void {
    this.scope.account.in += batch.length - batch.gone;
    if (this.current === undefined) {
      this.current = batch;
      this.work();
    } else {
      this.queue.push(batch);
      this.arrivals.push(this.scope.clock.monotonicMs());
      this.queuedRecords += batch.length - batch.gone;
    }
  }

  finish(): void {
    this.isInputOver = true;
    if (this.current === undefined) this.subscriber.complete();
  }

  private readonly work = (): void => {
    try {
      while (this.current !== undefined && !this.subscriber.closed) {
        if (this.runSlice(this.current) < this.current.length) {
          this.scope.turn.defer(this.work);
          return;
        }
        this.at = 0;
        this.current = this.queue.size > 0 ? this.queue.shift() : undefined;
        if (this.current === undefined) continue;
        this.queuedRecords -= this.current.length - this.current.gone;
        this.arrivedAtMs = this.arrivals.shift();
      }
      if (this.isInputOver) this.subscriber.complete();
    } catch (error) {
      this.subscriber.error(error);
    }
  };

  /** Works from `at` until the batch is done or the turn is long; emits what it made. Returns where it stopped. */
  private runSlice(batch: Batch<In>): number {
    const { scope } = this;
    const { lineages } = batch;
    const { account, clock } = scope;
    const from = this.at;
    const outputs = new Array<Out | Gone>(lineages.length - from);
    const startedAtMs = clock.monotonicMs();
    let nowMs = startedAtMs;
    let to = from;
    let gone = 0;
    while (to < lineages.length) {
      const until = Math.min(lineages.length, to + this.stretch);
      gone += this.runStretch(batch, to, until, outputs, from);
      to = until;
      nowMs = clock.monotonicMs();
      if (to < lineages.length && scope.turn.isLong(nowMs)) break;
      const each = (nowMs - startedAtMs) / (to - from);
      this.stretch = Math.max(1, Math.min(MAX_RECORDS_BETWEEN_LOOKS, Math.floor(LOOK_EVERY_MS / each)));
    }
    if (isPromiseLike(outputs.find(isRecord))) throw refusePromises(outputs, scope.task);
    const count = to - from;
    account.out += count - gone;
    this.at = to;
    account.worked(startedAtMs, nowMs);
    if (count > batch.gone) {
      scope.sampleLatency((nowMs - startedAtMs) / count);
      // A batch that is begun when it comes does not queue; the rest of one that was cut has queued since.
      scope.sampleQueueing(this.arrivedAtMs === undefined ? 0 : startedAtMs - this.arrivedAtMs);
    }
    this.arrivedAtMs = to < lineages.length ? (this.arrivedAtMs ?? startedAtMs) : undefined;
    if (count === lineages.length) this.subscriber.next(new Batch(lineages, outputs, gone));
    else {
      outputs.length = count;
      this.subscriber.next(new Batch(lineages.slice(from, to), outputs, gone));
    }
    return to;
  }

  /** Fills `outputs` for the slots from `at` to `until`; returns how many of them are gone. */
  private runStretch(batch: Batch<In>, at: number, until: number, outputs: (Out | Gone)[], offset: number): number {
    const { scope } = this;
    const { run, context } = this.step;
    const { lineages, values } = batch;
    let gone = 0;
    let i = at;
    // A throw leaves the inner loop, ends its record, and the loop goes on behind it: no record pays for a try.
    while (i < until) {
      try {
        // Most batches hold no gone mark: their loop has no test for it.
        for (; batch.gone === 0 && i < until; i++) {
          context.lineage = lineages[i] as number;
          const result = run(values[i] as In, context);
          if (typeof result === 'object' && result instanceof Skip) {
            outputs[i - offset] = scope.skip(result.reason);
            gone++;
          } else outputs[i - offset] = result;
        }
        for (; i < until; i++) {
          const value = values[i] as In | Gone;
          if (value === GONE) {
            outputs[i - offset] = GONE;
            gone++;
            continue;
          }
          context.lineage = lineages[i] as number;
          const result = run(value, context);
          if (typeof result === 'object' && result instanceof Skip) {
            outputs[i - offset] = scope.skip(result.reason);
            gone++;
          } else outputs[i - offset] = result;
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
}

/** A promise in place of an output would travel on unresolved, so the first one of a batch stops the run. */
function refusePromises(outputs: readonly unknown[], task: string): FatalTaskError {
  // Nobody will wait for them, so a rejection must not end the process.
  for (const output of outputs) if (isPromiseLike(output)) output.then(undefined, () => undefined);
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `The function of '${task}' returned a promise, but its kind of task is synchronous. Use asyncTask`,
  );
}

function isRecord(output: unknown): boolean {
  return output !== GONE;
}

/** How many slots from `from` on hold a record. */
function countRecords(batch: Batch<unknown>, from: number): number {
  let count = 0;
  for (let i = from; i < batch.length; i++) if (batch.values[i] !== GONE) count++;
  return count;
}
