/**
 * Writes records in groups, one write at a time, by default in root order.
 *
 * Guarantees: a record leaves only after its write has finished. The root's span bounds the reorder buffer. A record that
 * cannot be encoded ends by the failure policy, and the others are written. A failed write fails the run, because it is
 * unknown how much of it was stored.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { ArrivalTimes } from './arrival-times.js';
import { InOrder } from './in-order.js';
import { BatchBuilder, GONE, type Batch, type Gone } from '../model/record.js';
import type { Awaitable } from '../model/ports.js';
import type { TaskScope } from './task-scope.js';
import { Ring } from '../ledger/ring.js';
import { operate, type Engine } from './operate.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { WriteGate } from './write-gate.js';

export interface WriteOptions<In, Row> {
  /** Returns the row of a record. A throw ends the record by the failure policy. */
  readonly encode: (record: In, lineage: number) => Row;
  /** Writes rows, each with the lineage of its record. Returns a promise if the next write must wait. */
  readonly write: (rows: readonly Row[], lineages: readonly number[]) => Awaitable<void>;
  /** Writes in the order of the root's lineages. */
  readonly ordered: boolean;
  /**
   * Whether the destination already holds the row of this lineage. Default: only if an earlier incarnation has written it.
   */
  readonly isHeld?: (lineage: number) => boolean;
  /** Keeps writes away from checkpoints. Default: a write may be in progress at any time. */
  readonly gate?: WriteGate;
}

/** The maximum number of rows per write. */
const MAX_ROWS = 512;

export function writeBatches<In, Row>(
  options: WriteOptions<In, Row>,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<In>> {
  return operate((subscriber) => new BatchWriter(options, scope, subscriber));
}

class BatchWriter<In, Row> implements Engine<In> {
  private readonly options: WriteOptions<In, Row>;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<In>>;
  private readonly lineages: Ring<number>;
  private readonly records: Ring<In | Gone>;
  /** Used only if `ordered`: holds the records that came before their turn. */
  private readonly order: InOrder<In | Gone>;
  private heldRecords = 0;
  /** The number of held records that came before their turn. */
  private earlyRecords = 0;
  private readonly arrivals: ArrivalTimes;
  private started = 0;
  /** The number of held records in the current write. */
  private beingWritten = 0;
  private isWriting = false;
  private isInputOver = false;

  constructor(options: WriteOptions<In, Row>, scope: TaskScope, subscriber: Subscriber<Batch<In>>) {
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.lineages = new Ring(scope.root.span);
    this.records = new Ring(scope.root.span);
    this.arrivals = new ArrivalTimes(scope.root.span);
    this.order = new InOrder(scope.root.watermark);
    options.gate?.whenOpened(() => {
      this.work();
    });
    scope.account.watch(() => ({
      queued: this.heldRecords - this.beingWritten - this.earlyRecords,
      running: this.beingWritten,
      waiting: this.earlyRecords,
      places: 1,
    }));
    scope.explain(() =>
      this.order.size === 0 ? undefined : { lineage: this.order.next, for: ['the records before it'] },
    );
  }

  accept(batch: Batch<In>): void {
    const count = batch.length - batch.gone;
    const { account, clock } = this.scope;
    const nowMs = clock.monotonicMs();
    account.in += count;
    this.heldRecords += count;
    this.arrivals.arrive(count, nowMs);
    for (let i = 0; i < batch.length; i++) {
      const lineage = batch.lineages[i] as number;
      const value = batch.values[i] as In | Gone;
      if (!this.options.ordered || lineage === this.order.next) this.queue(lineage, value);
      else {
        this.order.hold(lineage, value);
        if (value !== GONE) this.earlyRecords++;
      }
    }
    account.mark(nowMs);
    this.work();
  }

  endInput(): void {
    this.isInputOver = true;
    this.work();
  }

  private queue(lineage: number, value: In | Gone): void {
    this.lineages.push(lineage);
    this.records.push(value);
    if (!this.options.ordered) return;
    const { order } = this;
    order.advance();
    while (order.isReady) {
      this.lineages.push(order.next);
      const next = order.release();
      order.advance();
      if (next !== GONE) this.earlyRecords--;
      this.records.push(next);
    }
  }

  private work(): void {
    try {
      while (this.mayWrite()) this.writeNext();
      if (this.isInputOver && !this.isWriting && this.records.size === 0) this.subscriber.complete();
    } catch (error) {
      this.subscriber.error(error);
    }
  }

  private isWritten(lineage: number): boolean {
    return this.scope.past?.isWritten(lineage) === true || this.options.isHeld?.(lineage) === true;
  }

  private mayWrite(): boolean {
    if (this.isWriting || this.records.size === 0 || this.subscriber.closed) return false;
    return this.options.gate?.isShut !== true;
  }

  private writeNext(): void {
    const { scope, options } = this;
    const startedAtMs = scope.clock.monotonicMs();
    const written = new BatchBuilder<In>();
    const rows: Row[] = [];
    const numbers: number[] = [];
    let ended = 0;
    let old = 0;
    while (this.records.size > 0 && written.length < MAX_ROWS) {
      const lineage = this.lineages.shift();
      const record = this.records.shift();
      let left: In | Gone = record;
      if (record !== GONE && this.isWritten(lineage)) old++;
      else if (record !== GONE) {
        try {
          rows.push(options.encode(record, lineage));
          numbers.push(lineage);
        } catch (error) {
          left = scope.giveUp({ lineage, record, error, attempts: 1 }) as In | Gone;
          // A fallback is written in place of the record. A fallback that cannot be encoded is a mistake in the task and
          // fails the run.
          if (left === GONE) ended++;
          else {
            rows.push(options.encode(left, lineage));
            numbers.push(lineage);
          }
        }
      }
      written.push(lineage, left);
    }
    this.heldRecords -= ended;
    if (rows.length > 0) scope.sampleQueueing(startedAtMs - this.arrivals.of(this.started));
    this.started += rows.length + ended + old;
    const writing = rows.length > 0 ? options.write(rows, numbers) : undefined;
    const leave = (hasWaited: boolean): void => {
      const batch = written.take();
      const nowMs = scope.clock.monotonicMs();
      this.heldRecords -= rows.length + old;
      this.beingWritten = 0;
      scope.account.out += rows.length + old;
      if (hasWaited) scope.account.touch(nowMs);
      else scope.account.worked(startedAtMs, nowMs);
      if (rows.length > 0) scope.sampleLatency((nowMs - startedAtMs) / rows.length);
      this.subscriber.next(batch);
    };
    if (!isPromiseLike(writing)) {
      leave(false);
      return;
    }
    this.isWriting = true;
    options.gate?.began();
    this.beingWritten = rows.length;
    scope.account.touch(startedAtMs);
    // Tracked, so that the writer closes its resources only after the write.
    scope.track(Promise.resolve(writing));
    writing.then(
      () => {
        // What leaves may bring new records at once. Their write must not begin before the gate knows that this one is over, or
        // a checkpoint would be made during the new one.
        if (!this.subscriber.closed) leave(true);
        this.isWriting = false;
        options.gate?.ended();
        this.work();
      },
      (error: unknown) => {
        options.gate?.ended();
        this.subscriber.error(error);
      },
    );
  }
}
