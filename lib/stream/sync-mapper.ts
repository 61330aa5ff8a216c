/**
 * The engine of `mapSync` and `mapChain`: processes batches in slices, so that the event loop gets its turns.
 *
 * Guarantees: there is one output slot per input slot, in order. A batch that takes longer than the slice is cut, and
 * continues in the next turn of the event loop. The queue never exceeds the window.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { FatalTaskError } from '../model/errors.js';
import type { TaskScope } from './task-scope.js';
import { Batch, GONE, type Gone } from '../model/record.js';
import { Ring } from '../ledger/ring.js';
import { operate, type Engine } from './operate.js';
import { isPromiseLike } from '../model/awaitable.js';

/** The work on the records, of one task or of several fused tasks. */
export interface SyncWork<In, Out> {
  /** The task that accepts the records. */
  readonly first: TaskScope;
  /** The task whose outputs are emitted. */
  readonly last: TaskScope;
  /**
   * Writes `outputs`, beginning at `at - offset`, for the slots from `at` to `until`. Returns the number of gone slots.
   */
  run(batch: Batch<In>, at: number, until: number, outputs: (Out | Gone)[], offset: number): number;
  /** Records the time spent on `slots` slots. The oldest record in them had waited for `queuedMs`. */
  recordTime(startedAtMs: number, nowMs: number, slots: number, queuedMs: number): void;
}

/** The work between two reads of the clock, in milliseconds. */
const LOOK_EVERY_MS = 2;
const MAX_RECORDS_BETWEEN_LOOKS = 512;

export function syncOperator<In, Out>(work: () => SyncWork<In, Out>): OperatorFunction<Batch<In>, Batch<Out>> {
  return operate((subscriber) => new SyncMapper(work(), subscriber));
}

class SyncMapper<In, Out> implements Engine<In> {
  private readonly work: SyncWork<In, Out>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  /** Batches that arrived while an earlier one was cut. The window bounds their number. */
  private readonly queue: Ring<Batch<In>>;
  private queuedRecords = 0;
  /** The arrival times of the queued batches, and of the current one. */
  private readonly arrivals: Ring<number>;
  private arrivedAtMs: number | undefined;
  private current: Batch<In> | undefined;
  private at = 0;
  private isInputOver = false;
  /** The number of records between two reads of the clock, from their cost so far. */
  private stretch = 1;

  constructor(work: SyncWork<In, Out>, subscriber: Subscriber<Batch<Out>>) {
    this.work = work;
    this.scope = work.first;
    this.subscriber = subscriber;
    const { mostInFlight } = this.scope.root;
    this.queue = new Ring(mostInFlight);
    this.arrivals = new Ring(mostInFlight);
    this.scope.account.watch(() => ({
      queued: this.queuedRecords + (this.current === undefined ? 0 : countRecords(this.current, this.at)),
      running: 0,
      waiting: 0,
    }));
  }

  accept(batch: Batch<In>): void {
    this.scope.account.in += batch.length - batch.gone;
    if (this.current === undefined) {
      this.current = batch;
      this.goOn();
    } else {
      this.queue.push(batch);
      this.arrivals.push(this.scope.clock.monotonicMs());
      this.queuedRecords += batch.length - batch.gone;
    }
  }

  endInput(): void {
    this.isInputOver = true;
    if (this.current === undefined) this.subscriber.complete();
  }

  private readonly goOn = (): void => {
    try {
      while (this.current !== undefined && !this.subscriber.closed) {
        if (this.runSlice(this.current) < this.current.length) {
          this.scope.turn.defer(this.goOn);
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

  /**
   * Works from `at` until the batch is done or the turn is long, and emits the outputs. Returns the position where it
   * stopped.
   */
  private runSlice(batch: Batch<In>): number {
    const { work, scope } = this;
    const { lineages } = batch;
    const { clock } = scope;
    const from = this.at;
    const outputs = new Array<Out | Gone>(lineages.length - from);
    const startedAtMs = clock.monotonicMs();
    let nowMs = startedAtMs;
    let to = from;
    let gone = 0;
    while (to < lineages.length) {
      const until = Math.min(lineages.length, to + this.stretch);
      gone += work.run(batch, to, until, outputs, from);
      to = until;
      nowMs = clock.monotonicMs();
      if (to < lineages.length && scope.turn.isLong(nowMs)) break;
      const each = (nowMs - startedAtMs) / (to - from);
      this.stretch = Math.max(1, Math.min(MAX_RECORDS_BETWEEN_LOOKS, Math.floor(LOOK_EVERY_MS / each)));
    }
    refusePromises(outputs, 0, to - from, work.last.task);
    const count = to - from;
    work.last.account.out += count - gone;
    this.at = to;
    // A batch that starts on arrival has not queued. The rest of a cut batch has queued since its first slice.
    const queuedMs = this.arrivedAtMs === undefined ? 0 : startedAtMs - this.arrivedAtMs;
    work.recordTime(startedAtMs, nowMs, count, queuedMs);
    this.arrivedAtMs = to < lineages.length ? (this.arrivedAtMs ?? startedAtMs) : undefined;
    if (count === lineages.length) this.subscriber.next(new Batch(lineages, outputs, gone));
    else {
      outputs.length = count;
      this.subscriber.next(new Batch(lineages.slice(from, to), outputs, gone));
    }
    return to;
  }
}

/** Throws if the first output is a promise, because promises would be passed on unresolved. */
export function refusePromises(outputs: readonly unknown[], from: number, to: number, task: string): void {
  let first = from;
  while (first < to && outputs[first] === GONE) first++;
  if (first === to || !isPromiseLike(outputs[first])) return;
  // Nothing awaits these promises, so their rejections must not end the process.
  for (const output of outputs) if (isPromiseLike(output)) output.then(undefined, () => undefined);
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `The function of '${task}' returned a promise, but its kind of task is synchronous. Use asyncTask`,
  );
}

/** The number of slots from `from` to `to` that hold a record. */
export function countRecords(batch: Batch<unknown>, from: number, to = batch.length): number {
  let count = 0;
  for (let i = from; i < to; i++) if (batch.values[i] !== GONE) count++;
  return count;
}
