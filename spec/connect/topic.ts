/** A topic with partitions in memory, as a source, and a store that shows each row with the identity of its record. */
import type { Json, Sink, Source, SourcePartition, SourceRead } from 'millrace/connect';
import type { VirtualClock } from 'millrace/testing';

export interface Message {
  /** The number of the record in its partition. */
  readonly offset: number;
  readonly value: string;
}

/** Which partitions one incarnation reads, and how. */
export interface TopicOptions {
  readonly partitions?: readonly number[];
  /** The delay of a read of this partition, in milliseconds; 0 for a read that is not a promise. Default 0. */
  readonly delayMs?: (partition: number) => number;
  /** Whether the numbers are the offsets. Default: the records are counted from 0. */
  readonly hasOffsets?: boolean;
  /** Whether reads return positions. Default false. */
  readonly hasPositions?: boolean;
}

/** Partitions with their messages; they outlive a run. */
export class Topic {
  readonly partitions = new Map<number, Message[]>();
  /** What each call of `settled` reported. */
  readonly settled: string[] = [];
  /** What each incarnation was opened with, by partition. */
  readonly opened: string[] = [];
  readonly reads: number[] = [];
  readonly closed: number[] = [];

  add(partition: number, ...values: readonly string[]): this {
    const messages = this.partitions.get(partition) ?? [];
    for (const value of values) messages.push({ offset: messages.length, value });
    this.partitions.set(partition, messages);
    return this;
  }

  source(clock: VirtualClock, options: TopicOptions = {}): Source<string> {
    const { partitions = [...this.partitions.keys()], hasOffsets = false } = options;
    return {
      isPartitioned: hasOffsets,
      open: (_context, past) => {
        for (const { partition, from, position } of past?.partitions ?? []) {
          this.opened.push(`${partition}: from ${from}${position === undefined ? '' : ` at ${position.lineage}`}`);
        }
        return partitions.map((partition) => {
          const own = past?.partitions.find((one) => one.partition === partition);
          return this.partition(partition, own?.position?.lineage, options, clock);
        });
      },
      settled: (progress) => {
        this.settled.push(
          progress.map(({ partition, watermark, done }) => `${partition}: ${[watermark, ...done].join()}`).join('; '),
        );
      },
    };
  }

  private partition(
    partition: number,
    position: number | undefined,
    { delayMs, hasOffsets = false, hasPositions = false }: TopicOptions,
    clock: VirtualClock,
  ): SourcePartition<string> {
    const messages = this.partitions.get(partition) ?? [];
    const start = hasOffsets ? (messages[0]?.offset ?? 0) : 0;
    const from = position ?? start;
    let at = hasOffsets ? messages.findIndex(({ offset }) => offset >= from) : from;
    if (at < 0) at = messages.length;
    const give = (max: number): SourceRead<string> | null => {
      const some = messages.slice(at, at + max);
      if (some.length === 0) return null;
      at += some.length;
      const next = hasOffsets ? (some.at(-1) as Message).offset + 1 : at;
      return {
        records: some.map(({ value }) => value),
        ...(hasOffsets && { numbers: some.map(({ offset }) => offset) }),
        ...(hasPositions && { position: { lineage: next } }),
      };
    };
    return {
      partition,
      from,
      read: (max) => {
        this.reads.push(partition);
        const ms = delayMs?.(partition) ?? 0;
        return ms === 0 ? give(max) : wait(clock, ms).then(() => give(max));
      },
      close: () => {
        this.closed.push(partition);
      },
    };
  }
}

interface StoredRow {
  readonly id: string;
  readonly value: string;
}

/** A store with transactions, which also keeps the identities of its rows. */
export class Store {
  readonly rows: StoredRow[] = [];
  private readonly prepared = new Map<string, StoredRow[]>();
  private readonly committed = new Set<string>();
  private next = 1;

  /** The values, by partition, in the order of the rows. */
  get byPartition(): Record<string, string[]> {
    const found: Record<string, string[]> = {};
    for (const { id, value } of this.rows) (found[id.split(':')[0] as string] ??= []).push(value);
    return found;
  }

  /** A sink that shows its rows when they are committed. */
  committing(): Sink<string> {
    let open: StoredRow[] = [];
    const commit = (id: Json): void => {
      if (this.committed.has(id as string)) return;
      this.committed.add(id as string);
      this.rows.push(...(this.prepared.get(id as string) ?? []));
    };
    return {
      open: (_context, past) => {
        if (past?.prepared !== undefined) commit(past.prepared);
        return undefined;
      },
      write: ({ partition, numbers, rows }) => {
        open.push(...rows.map((value, i) => ({ id: `${partition}:${numbers[i] ?? ''}`, value })));
      },
      prepare: () => {
        if (open.length === 0) return undefined;
        const id = `t${this.next++}`;
        this.prepared.set(id, open);
        open = [];
        return id;
      },
      commit,
    };
  }

  /** A sink that shows its rows at once, and reports which it holds. */
  holding(): Sink<string> {
    return {
      open: () => ({
        has: ({ partition, number }) => this.rows.some(({ id }) => id === `${partition}:${number}`),
      }),
      write: ({ partition, numbers, rows }) => {
        this.rows.push(...rows.map((value, i) => ({ id: `${partition}:${numbers[i] ?? ''}`, value })));
      },
    };
  }
}

export function wait(clock: VirtualClock, ms: number): Promise<void> {
  return new Promise<void>((resolve) => {
    clock.schedule(ms, resolve);
  });
}
