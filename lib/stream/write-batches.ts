/**
 * Writes records in groups, one write at a time, by default in root order.
 *
 * Guarantees: a record leaves only after its write has finished. The root's span bounds the reorder buffer. A record
 * that cannot be encoded, or that the destination refuses, ends by the failure policy, and the others are written. A
 * failed write fails the run, because it is unknown how much of it was stored.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { ArrivalTimes } from './arrival-times.js';
import { NumberOrder } from './number-order.js';
import { Batch, GONE, Routed, type Gone } from '../model/record.js';
import type { Awaitable } from '../model/ports.js';
import type { TaskScope } from './task-scope.js';
import { Ring } from '../ledger/ring.js';
import { operate, type Engine } from './operate.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { WriteGate } from './write-gate.js';

/** A row that the destination refused, while it stored the other rows of the write. */
export interface RefusedRow {
  /** The index of the row in the write. */
  readonly row: number;
  /** The reason of the refusal. */

  readonly error: unknown;
}

/** The result of a write: nothing, or the rows that were refused. */
// Sinks that refuse nothing return nothing.
export type WriteResult = Awaitable<void | readonly RefusedRow[]>;

export interface WriteOptions<In, Row> {
  /**
   * Returns the row of a record, or a promise of it. An error ends the record by the failure policy. A write waits
   * until all of its rows are there.
   */
  readonly encode: (record: In, lineage: number) => Awaitable<Row>;
  /**
   * Writes rows, each with the lineage of its record. Returns a promise if the next write must wait, and the rows that
   * the destination refused; the failure policy ends their records.
   */
  readonly write: (rows: readonly Row[], lineages: readonly number[]) => WriteResult;
  /** Writes in the order of the root's lineages. */
  readonly ordered: boolean;
  /**
   * Whether the destination already has the row of this lineage. Default: only if an earlier incarnation has written
   * it.
   */
  readonly isStored?: (lineage: number) => boolean;
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
  private readonly order: NumberOrder<In | Gone>;
  private heldRecords = 0;
  /** The number of held records that came before their turn. */
  private earlyRecords = 0;
  private readonly arrivals: ArrivalTimes;
  private started = 0;
  /** The number of held records in the current write. */
  private beingWritten = 0;
  private isWriting = false;
  private over: Promise<void> | undefined;
  private isInputOver = false;

  constructor(options: WriteOptions<In, Row>, scope: TaskScope, subscriber: Subscriber<Batch<In>>) {
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.lineages = new Ring(scope.root.mostSpan);
    this.records = new Ring(scope.root.mostSpan);
    this.arrivals = new ArrivalTimes(scope.root.span);
    this.order = new NumberOrder(scope.root.watermark);
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
    account.sampleMeter(nowMs);
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
    return this.scope.past?.isWritten(lineage) === true || this.options.isStored?.(lineage) === true;
  }

  private mayWrite(): boolean {
    if (this.isWriting || this.records.size === 0 || this.subscriber.closed) return false;
    return this.options.gate?.isShut !== true;
  }

  private writeNext(): void {
    const startedAtMs = this.scope.clock.monotonicMs();
    const group = this.nextGroup();
    this.heldRecords -= group.ended;
    if (group.rows.length > 0) this.scope.sampleQueueing(startedAtMs - this.arrivals.of(this.started));
    this.started += group.rows.length + group.ended + group.routed + group.old;
    const encoding = this.encodeLate(group);
    const writing =
      encoding === undefined
        ? this.write(group)
        : Promise.race([encoding, this.whenOver()]).then(() => this.write(group));
    if (!isPromiseLike(writing)) {
      this.leave(group, startedAtMs, false);
      return;
    }
    this.isWriting = true;
    this.options.gate?.began();
    this.beingWritten = group.rows.length;
    this.scope.account.touch(startedAtMs);
    // Tracked, so that the writer closes its resources only after the write.
    this.scope.track(Promise.resolve(writing));
    writing.then(
      () => {
        // The emission may bring new records at once. Their write must not begin before the gate knows that this write
        // is over. Otherwise a checkpoint would be made during the new write.
        if (!this.subscriber.closed) this.leave(group, startedAtMs, true);
        this.isWriting = false;
        this.options.gate?.ended();
        this.work();
      },
      (error: unknown) => {
        this.options.gate?.ended();
        this.subscriber.error(error);
      },
    );
  }

  /** Resolves when the operator ends, so that a schema that never answers does not keep the run from ending. */
  private whenOver(): Promise<void> {
    return (this.over ??= new Promise((resolve) => {
      this.subscriber.add(() => {
        resolve();
      });
    }));
  }

  /** The records of the next write, with the rows of those that must be written. */
  private nextGroup(): Group<In, Row> {
    const { scope, options } = this;
    const group: Group<In, Row> = {
      lineages: [],
      left: [],
      rows: [],
      late: [],
      slots: [],
      ended: 0,
      routed: 0,
      old: 0,
      refused: 0,
    };
    while (this.records.size > 0 && group.left.length < MAX_ROWS) {
      const lineage = this.lineages.shift();
      const record = this.records.shift();
      let left: In | Gone = record;
      if (record !== GONE && this.isWritten(lineage)) group.old++;
      else if (record !== GONE) {
        try {
          addRow(group, options.encode(record, lineage), false);
        } catch (error) {
          left = scope.giveUp({ lineage, record, error, attempts: 1 }) as In | Gone;
          // A fallback is written in place of the record. A fallback that cannot be encoded is a mistake in the task
          // and fails the run.
          if (left === GONE) group.ended++;
          else if (left instanceof Routed) group.routed++;
          else addRow(group, options.encode(left, lineage), true);
        }
        if (left !== GONE && !(left instanceof Routed)) group.slots.push(group.left.length);
      }
      group.lineages.push(lineage);
      group.left.push(left);
    }
    return group;
  }

  /** Waits for the rows of the group that are promises. Undefined if there are none. */
  private encodeLate(group: Group<In, Row>): Promise<void> | undefined {
    const { late } = group;
    if (late.length === 0) return undefined;
    return Promise.allSettled(late.map(({ row }) => row)).then(async (results) => {
      const without = new Set<number>();
      for (const [i, { at, isFallback }] of late.entries()) {
        const result = results[i] as PromiseSettledResult<Row>;
        if (result.status === 'fulfilled') group.rows[at] = result.value;
        else if (isFallback) throw result.reason as Error;
        else if (!this.subscriber.closed && !(await this.replace(group, at, result.reason))) without.add(at);
      }
      if (without.size === 0) return;
      const stays = (_: unknown, at: number): boolean => !without.has(at);
      group.rows = group.rows.filter(stays);
      group.slots = group.slots.filter(stays);
      this.beingWritten = group.rows.length;
    });
  }

  /** Ends a record without a row. Resolves with true if there is a fallback. Its row then has taken the place. */
  private async replace(group: Group<In, Row>, at: number, error: unknown): Promise<boolean> {
    const slot = group.slots[at] as number;
    const lineage = group.lineages[slot] as number;
    const left = this.scope.giveUp({ lineage, record: group.left[slot], error, attempts: 1 }) as In | Gone;
    group.left[slot] = left;
    if (left === GONE) {
      group.ended++;
      this.heldRecords--;
      return false;
    }
    if (left instanceof Routed) {
      group.routed++;
      return false;
    }
    group.rows[at] = await this.options.encode(left, lineage);
    return true;
  }

  /** Writes the rows of the group, and ends the records whose rows are refused. */
  private write(group: Group<In, Row>): Awaitable<void> {
    const { rows, slots, lineages } = group;
    if (rows.length === 0 || this.subscriber.closed) return undefined;
    const writing = this.options.write(
      rows,
      slots.map((slot) => lineages[slot] as number),
    );
    if (!isPromiseLike(writing)) return this.refuse(group, writing ?? []);
    return writing.then((refused) => (this.subscriber.closed ? undefined : this.refuse(group, refused ?? [])));
  }

  private refuse(group: Group<In, Row>, refused: readonly RefusedRow[]): Awaitable<void> {
    const { scope, options } = this;
    const rows: Awaitable<Row>[] = [];
    const lineages: number[] = [];
    for (const { row, error } of refused) {
      const slot = group.slots[row] as number;
      const lineage = group.lineages[slot] as number;
      const left = scope.giveUp({ lineage, record: group.left[slot], error, attempts: 1 }) as In | Gone;
      group.left[slot] = left;
      if (left === GONE) {
        group.refused++;
        this.heldRecords--;
        if (this.isWriting) this.beingWritten--;
      } else if (!(left instanceof Routed)) {
        rows.push(options.encode(left, lineage));
        lineages.push(lineage);
      }
    }
    if (rows.length === 0) return undefined;
    const writing = rows.some(isPromiseLike)
      ? Promise.all(rows).then((ready) => options.write(ready, lineages))
      : options.write(rows as readonly Row[], lineages);
    if (!isPromiseLike(writing)) {
      assertStored(writing ?? []);
      return undefined;
    }
    return writing.then((again) => {
      assertStored(again ?? []);
    });
  }

  private leave(group: Group<In, Row>, startedAtMs: number, hasWaited: boolean): void {
    const { account, clock } = this.scope;
    const stored = group.rows.length - group.refused;
    const batch = new Batch<In>(group.lineages, group.left, group.left.filter((value) => value === GONE).length);
    const nowMs = clock.monotonicMs();
    this.heldRecords -= stored + group.routed + group.old;
    this.beingWritten = 0;
    account.out += stored + group.routed + group.old;
    if (hasWaited) account.touch(nowMs);
    else account.worked(startedAtMs, nowMs);
    const { length } = group.rows;
    if (length > 0) this.scope.sampleLatency((nowMs - startedAtMs) / length);
    this.subscriber.next(batch);
  }
}

/** A row that is encoded asynchronously. */
interface LateRow<Row> {
  readonly row: PromiseLike<Row>;
  /** Its place in the rows. */
  readonly at: number;
  /** Whether it is the row of a fallback. */
  readonly isFallback: boolean;
}

function addRow<In, Row>({ rows, late }: Group<In, Row>, row: Awaitable<Row>, isFallback: boolean): void {
  if (!isPromiseLike(row)) {
    rows.push(row);
    return;
  }
  late.push({ row, at: rows.length, isFallback });
  rows.push(undefined as Row);
}

/** The records of one write, in the order in which they leave. */
interface Group<In, Row> {
  readonly lineages: number[];
  /** The value that leaves in each slot. */
  readonly left: (In | Gone)[];
  rows: Row[];
  /** The rows that are still promises. */
  readonly late: LateRow<Row>[];
  /** The slot of each row. */
  slots: number[];
  /** The number of records that could not be encoded, and end here. */
  ended: number;
  /** The number of records that could not be encoded, and leave by the output for failed records. */
  routed: number;
  /** The number of records that the destination had already. */
  old: number;
  /** The number of records whose rows were refused. */
  refused: number;
}

/** A fallback that is refused as well is a mistake in the task and fails the run. */
function assertStored([refused]: readonly RefusedRow[]): void {
  if (refused !== undefined) throw refused.error;
}
