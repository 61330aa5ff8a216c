/**
 * Reads the partitions of a source in one run, and keeps the numbers and positions of each apart.
 *
 * Guarantees: partitions are read at the same time, each with at most one outstanding read, and take turns. A partition
 * that waits or is over holds back no other. At most one batch per partition is read ahead. A batch is announced to the
 * ledger only just before its records are born, so a checkpoint never counts records that wait here.
 */
import { isPromiseLike, Waiter, type Awaitable } from '../model/awaitable.js';
import type { Json, SettledProgress } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import type { ChannelTime } from '../ledger/channels.js';
import type { Lineage, Rejected, Skip } from '../model/record.js';
import type { PartitionLedgers } from '../ledger/partitions.js';
import type { Reader } from '../stream/reader.js';
import type { PartitionSpan, TaskScope } from '../stream/task-scope.js';
import type { SourcePosition } from '../tasks/source-task.js';
import type { PartitionPast, PartitionProgress, SourcePartition, SourceRead } from './source.js';

/** The number of records that are skipped at a time. */
const READ_OVER = 4096;

/** How the partitions of one source are read. */
export interface PartitionedReadingParts<Out> {
  readonly partitions: readonly SourcePartition<Out>[];
  readonly scope: TaskScope;
  /** Whether the records have the same numbers in each incarnation. */
  readonly isReplayable: boolean;
  /** Returns the partitions that have appeared, or null when there will be no more. Default: there are no more. */
  readonly next?: () => Promise<readonly SourcePartition<Out>[] | null>;
}

/** The positions of all partitions, as a checkpoint keeps them. */
interface PartitionedPositions {
  /** Absent if there are no positions yet. */
  readonly partitions?: Readonly<Record<string, SourcePosition>>;
}

export class PartitionedReading<Out> implements Reader<Out | Skip | Rejected> {
  private readonly scope: TaskScope;
  private readonly isReplayable: boolean;
  /** All partitions of this incarnation, by their numbers. */
  private readonly readers = new Map<number, PartitionReader<Out>>();
  /** The partitions that have records, or may get some. */
  private open: PartitionReader<Out>[] = [];
  private readonly ledgers: PartitionLedgers;
  /** True while more partitions may appear. */
  private mayGrow = false;
  private isClosed = false;
  private cursor = 0;
  /** Wakes the outstanding `read`. */
  private readonly waiter = new Waiter();
  private failure: { readonly error: unknown } | undefined;

  /** Throws MILLRACE_INVALID_OPTION for a partition that begins after the first record that the run needs. */
  constructor({ partitions, scope, isReplayable, next }: PartitionedReadingParts<Out>) {
    this.scope = scope;
    this.isReplayable = isReplayable;
    this.ledgers = scope.root.divide();
    this.add(partitions);
    if (next !== undefined) {
      this.mayGrow = true;
      this.grow(next).catch((error: unknown) => {
        this.listener.whenFailed(error);
      });
    }
  }

  read(max: number): Awaitable<readonly (Out | Skip | Rejected)[] | null> {
    if (this.failure !== undefined) throw this.failure.error;
    const batch = this.nextBatch(max);
    return batch === undefined ? this.later(max) : batch;
  }

  /** The mean over the partitions, because their sizes are not known. */
  share(): number | undefined {
    if (this.mayGrow) return undefined;
    let sum = 0;
    for (const reader of this.readers.values()) {
      const share = reader.share();
      if (share === undefined) return undefined;
      sum += share;
    }
    return sum / this.readers.size;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    const closing = [...this.readers.values()].map((reader) => reader.close());
    this.waiter.wake();
    await Promise.all(closing);
  }

  /** The positions from which a later incarnation can continue, and those of partitions that are not open. */
  allPositions(): Readonly<Record<string, Json>> | undefined {
    const positions = positionsOf(this.scope);
    for (const reader of this.readers.values()) {
      const position = reader.positionAt(this.ledgers.floorOf(reader.number));
      if (position !== undefined) positions.set(reader.number, position);
    }
    return positions.size === 0 ? undefined : { partitions: Object.fromEntries(positions) };
  }

  /** The settled records of each open partition. */
  settled({ partitions = {} }: SettledProgress): PartitionProgress[] {
    return [...this.readers.keys()].flatMap((number) => {
      const progress = partitions[number];
      return progress === undefined ? [] : [{ partition: number, ...progress }];
    });
  }

  private readonly listener: ReadListener = {
    whenArrived: () => {
      this.waiter.wake();
    },
    whenFailed: (error) => {
      this.failure ??= { error };
      this.waiter.wake();
    },
  };

  /** The next batch, once a read has ended. Resolves with null after `close`. */
  private async later(max: number): Promise<readonly (Out | Skip | Rejected)[] | null> {
    for (;;) {
      await this.waiter.wait();
      if (this.isClosed) return null;
      if (this.failure !== undefined) throw this.failure.error;
      const batch = this.nextBatch(max);
      if (batch !== undefined) return batch;
    }
  }

  /** Opens the ledgers of partitions, and reads them from then on. */
  private add(partitions: readonly SourcePartition<Out>[]): void {
    const { scope, ledgers, isReplayable } = this;
    const positions = positionsOf(scope);
    for (const partition of partitions) {
      const { partition: number } = partition;
      const span = scope.past?.partitions.get(number);
      const start = isReplayable ? replayed(partition, span, scope.task) : renumbered(span);
      const { channels } = partition;
      ledgers.open(number, { first: start.first, from: start.from, ...(channels && { channels }) });
      const reader = new PartitionReader(partition, start, scope, this.listener);
      reader.beginAt(positions.get(number));
      this.readers.set(number, reader);
      this.open.push(reader);
    }
  }

  private async grow(next: () => Promise<readonly SourcePartition<Out>[] | null>): Promise<void> {
    for (;;) {
      const partitions = await next();
      if (this.isClosed) {
        // The reading has ended, so the new partitions are not read.
        await Promise.all((partitions ?? []).map((partition) => closed(partition)));
        return;
      }
      if (partitions === null) break;
      this.assertNew(partitions);
      this.add(partitions);
      this.listener.whenArrived();
    }
    this.mayGrow = false;
    this.listener.whenArrived();
  }

  private assertNew(partitions: readonly SourcePartition<Out>[]): void {
    const known = partitions.find(({ partition }) => this.readers.has(partition));
    if (known === undefined) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`nextPartitions\` of source '${this.scope.task}' to return partitions that are not open, got partition ${known.partition} again`,
    );
  }

  /** The next batch, null if all partitions are over, or undefined if every open partition is being read. */
  private nextBatch(max: number): readonly (Out | Skip | Rejected)[] | null | undefined {
    const { open, cursor } = this;
    let batch: Numbered<Out> | undefined;
    let over = 0;
    for (let i = 0; i < open.length; i++) {
      const place = (cursor + i) % open.length;
      const reader = open[place] as PartitionReader<Out>;
      // Only a partition with asynchronous reads is read ahead.
      if (batch === undefined || reader.isSlow) reader.fill(max);
      if (reader.isOver) over++;
      if (batch !== undefined || !reader.hasRecords) continue;
      batch = reader.remove(max);
      this.ledgers.announce(reader.number, batch.numbers, batch.times);
      // Drops the positions that are no longer needed, also in a run without checkpoints.
      reader.positionAt(this.ledgers.floorOf(reader.number));
      this.cursor = (place + 1) % open.length;
      if (reader.isSlow) reader.fill(max);
    }
    if (over > 0) this.reportOver(batch?.records.length ?? 0);
    const isOver = over === open.length && !this.mayGrow;
    if (over > 0 && over * 2 >= open.length) this.forgetOver();
    if (batch !== undefined) return batch.records;
    return isOver ? null : undefined;
  }

  /** @param announced the number of records in the batch of this turn, which are born next. */
  private reportOver(announced: number): void {
    for (const reader of this.open) {
      if (!reader.isOver || reader.hasRecords || reader.isReported) continue;
      reader.isReported = true;
      this.ledgers.end(reader.number, this.scope.root.born + announced);
    }
  }

  /** Removes partitions that are over, so that they do not make each turn slower. */
  private forgetOver(): void {
    const { open, cursor } = this;
    const turns = [...open.slice(cursor), ...open.slice(0, cursor)];
    this.open = turns.filter((reader) => !reader.isOver || reader.hasRecords);
    this.cursor = 0;
  }
}

/** Records with their numbers in the partition. */
interface Numbered<Out> {
  readonly records: readonly (Out | Skip | Rejected)[];
  readonly numbers: readonly Lineage[];
  /** See `SourceRead`. */
  readonly times?: readonly ChannelTime[];
}

interface ReadListener {
  /** Called when an asynchronous read is over: with records, or because the partition is over. */
  readonly whenArrived: () => void;
  readonly whenFailed: (error: unknown) => void;
}

/** The numbers with which one partition is read. */
interface ReadStart extends PartitionSpan {
  /** The number of the first record that `read` returns. */
  readonly next: Lineage;
}

/** One partition: at most one read and one batch. */
class PartitionReader<Out> {
  readonly number: number;
  /** True once a read was asynchronous. */
  isSlow = false;
  isOver = false;
  /** Whether the ledger knows that the partition is over. */
  isReported = false;
  private readonly partition: SourcePartition<Out>;
  private readonly task: string;
  private readonly start: ReadStart;
  private readonly listener: ReadListener;
  /** The number after the last record that was read. */
  private next: Lineage;
  private waiting: Numbered<Out> | undefined;
  private isReading = false;
  private closing: Promise<void> | undefined;
  /** The positions from which unsettled records can be read, ascending. */
  private readonly positions: SourcePosition[] = [];

  constructor(partition: SourcePartition<Out>, start: ReadStart, { task }: TaskScope, listener: ReadListener) {
    this.number = partition.partition;
    this.partition = partition;
    this.task = task;
    this.start = start;
    this.next = start.next;
    this.listener = listener;
  }

  get hasRecords(): boolean {
    return this.waiting !== undefined;
  }

  /** Sets the position that an earlier incarnation has kept. */
  beginAt(position: SourcePosition | undefined): void {
    if (position !== undefined && position.lineage <= this.start.from) this.positions.push(position);
  }

  /** The last position at or before this number. Earlier ones are dropped, because they will never be needed. */
  positionAt(number: Lineage): SourcePosition | undefined {
    const { positions } = this;
    while (positions[1] !== undefined && positions[1].lineage <= number) positions.shift();
    const [first] = positions;
    return first !== undefined && first.lineage <= number ? first : undefined;
  }

  share(): number | undefined {
    return this.isOver ? 1 : this.partition.share?.();
  }

  /** Starts a read, unless records wait or a read is outstanding. */
  fill(max: number): void {
    while (this.waiting === undefined && !this.isReading && !this.isOver) {
      const missing = this.start.from - this.next;
      const size = missing > 0 ? Math.min(missing, READ_OVER) : max;
      const read = this.partition.read(size);
      if (!isPromiseLike(read)) {
        this.accept(read, size);
        continue;
      }
      this.isSlow = true;
      this.isReading = true;
      read.then(
        (arrived) => {
          this.isReading = false;
          if (this.closing !== undefined) return;
          try {
            this.accept(arrived, size);
            this.fill(max);
          } catch (error) {
            this.listener.whenFailed(error);
            return;
          }
          if (this.waiting !== undefined || this.isOver) this.listener.whenArrived();
        },
        (error: unknown) => {
          this.isReading = false;
          if (this.closing === undefined) this.listener.whenFailed(error);
        },
      );
    }
  }

  /** Removes at most `max` of the records that wait. */
  remove(max: number): Numbered<Out> {
    const waiting = this.waiting as Numbered<Out>;
    if (waiting.records.length <= max) {
      this.waiting = undefined;
      return waiting;
    }
    this.waiting = part(waiting, max);
    return part(waiting, 0, max);
  }

  close(): Promise<void> {
    this.isOver = true;
    this.waiting = undefined;
    if (this.closing === undefined) {
      this.closing = closed(this.partition);
      // Prevents an unhandled rejection. `close` of the reading awaits the promise later.
      this.closing.catch(() => undefined);
    }
    return this.closing;
  }

  private accept(read: SourceRead<Out> | null, size: number): void {
    const { from, born } = this.start;
    if (read === null) {
      if (this.next < born) throw this.changed(born);
      void this.close();
      return;
    }
    assertRead(read, size, this.task);
    const { records, numbers: given, position, times } = read;
    const numbers = given === undefined ? consecutive(this.next, records.length) : this.checked(given, records.length);
    this.next = (numbers.at(-1) as Lineage) + 1;
    if (position !== undefined) {
      assertPosition(position, this.next, this.task);
      this.positions.push(position);
    }
    // Earlier incarnations have settled the records below `from`.
    const past = numbers.findIndex((number) => number >= from);
    if (past === -1) return;
    const all = { records, numbers, ...(times && { times }) };
    this.waiting = past === 0 ? all : part(all, past);
  }

  private checked(numbers: readonly Lineage[], count: number): readonly Lineage[] {
    let before = this.next - 1;
    const isAscending = numbers.every((number) => {
      const isNext = Number.isSafeInteger(number) && number > before;
      before = number;
      return isNext;
    });
    if (isAscending && numbers.length === count) return numbers;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `Expected \`numbers\` of partition ${this.number} of source '${this.task}' to be ${count} ascending numbers from ${this.next} on, got ${describeValue(numbers)}`,
    );
  }

  private changed(born: Lineage): MillraceError {
    return new MillraceError(
      'MILLRACE_RESUME',
      `Partition ${this.number} of source '${this.task}' ended before record ${this.next}, but had ${born} records in an earlier incarnation of the run: its input has changed. Restore the input, or start a new run`,
    );
  }
}

function part<Out>({ records, numbers, times }: Numbered<Out>, from: number, to?: number): Numbered<Out> {
  return {
    records: records.slice(from, to),
    numbers: numbers.slice(from, to),
    ...(times && { times: times.slice(from, to) }),
  };
}

/** The numbers of a partition whose records have the same numbers in each incarnation. */
function replayed(
  { partition, from = 0 }: SourcePartition<unknown>,
  span: PartitionSpan | undefined,
  task: string,
): ReadStart {
  const isNumber = Number.isSafeInteger(from) && from >= 0;
  if (isNumber && span === undefined) return { first: from, from, born: from, next: from };
  if (isNumber && span !== undefined && from <= span.from) return { ...span, next: from };
  const expected =
    span === undefined ? 'a number from 0 on' : `a number from 0 to ${span.from}, the first record that the run needs`;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`from\` of partition ${partition} of source '${task}' to be ${expected}, got ${describeValue(from)}`,
  );
}

/** The numbers of a partition whose records cannot be read again: they continue after all earlier ones. */
function renumbered({ first, from }: PartitionSpan = { first: 0, from: 0, born: 0 }): ReadStart {
  return { first, from, born: 0, next: from };
}

/** The stored progress of each partition, for a resumed run, in the order of the partitions. */
export function partitionPastsOf(scope: TaskScope): PartitionPast[] {
  const positions = positionsOf(scope);
  const spans = [...(scope.past?.partitions ?? [])].sort(([a], [b]) => a - b);
  return spans.map(([partition, { from }]) => {
    const position = positions.get(partition);
    return { partition, position: position !== undefined && position.lineage <= from ? position : undefined, from };
  });
}

/**
 * The positions in the checkpoint, by partition. A source with one partition has stored the position of partition 0.
 */
function positionsOf({ past }: TaskScope): Map<number, SourcePosition> {
  const kept = past?.position as PartitionedPositions | SourcePosition | undefined;
  if (kept === undefined) return new Map();
  if (!isPartitioned(kept)) return new Map([[0, kept]]);
  return new Map(Object.entries(kept.partitions ?? {}).map(([partition, position]) => [Number(partition), position]));
}

function isPartitioned(kept: PartitionedPositions | SourcePosition): kept is PartitionedPositions {
  return !('lineage' in kept);
}

async function closed(partition: SourcePartition<unknown>): Promise<void> {
  await partition.close?.();
}

function consecutive(first: Lineage, count: number): readonly Lineage[] {
  const numbers = new Array<Lineage>(count);
  for (let i = 0; i < count; i++) numbers[i] = first + i;
  return numbers;
}

/** Throws MILLRACE_INVALID_OUTPUT for a read without records, or with more than `max`. */
export function assertRead(read: SourceRead<unknown>, max: number, task: string): void {
  const count = (read as Partial<SourceRead<unknown>> | undefined)?.records?.length;
  if (count !== undefined && count >= 1 && count <= max) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected source '${task}' to read 1 to ${max} records as \`{ records }\`, or null at the end, got ${count ?? describeValue(read)}`,
  );
}

/** Throws MILLRACE_INVALID_OUTPUT for a position after the next record. */
export function assertPosition({ lineage }: SourcePosition, next: Lineage, task: string): void {
  if (lineage <= next) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected \`position.lineage\` of source '${task}' to be at most ${next}, the number of the next record, got ${describeValue(lineage)}`,
  );
}
