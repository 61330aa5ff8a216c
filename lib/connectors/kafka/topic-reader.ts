/**
 * Reads partitions of one topic: fetches from each leader while a read waits for records, and a little ahead of the
 * reads.
 *
 * Guarantees: at most one fetch per leader is outstanding. A partition without records does not delay the others: while
 * a partition has records, brokers are asked not to wait long. At most two fetches per partition are in memory. Offsets
 * advance over aborted records and markers, so a partition that ends with one of them ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError, Waiter } from '../../connect/index.js';
import { runErrorOf } from './client-faults.js';
import type { Fetched, KafkaPort, RawRecord, TopicDescription } from './port.js';

/** What happens when the requested offset does not exist any more. */
export type OffsetLostPolicy = 'stop' | 'earliest' | 'latest';

export interface TopicReaderParts {
  readonly client: KafkaPort;
  readonly topic: TopicDescription;
  readonly onOffsetLost: OffsetLostPolicy;
  /** For how long a partition may be without a leader, in milliseconds. */
  readonly timeoutMs: number;
  /** The milliseconds that a broker waits for records. */
  readonly maxWaitMs: number;
  readonly notice: (message: string) => void;
}

/** The most bytes of one fetch from a partition, and the fewest if there are many partitions. */
const MAX_BYTES = 1024 * 1024;
const MIN_BYTES = 64 * 1024;
/** The most bytes of one fetch from all partitions together. */
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;
/** How long brokers wait while other partitions have records to be processed. */
const SHORT_WAIT_MS = 25;
const PAUSE_MS = 100;

export class TopicReader {
  private readonly parts: TopicReaderParts;
  private readonly readers: PartitionReader[] = [];
  private readonly busy = new Set<number>();
  private leaders: readonly number[] = [];
  private isClosed = false;

  constructor(parts: TopicReaderParts) {
    this.parts = parts;
  }

  /** Begins to read a partition at `from`, until `end` if it is given. Nothing is fetched before the first read. */
  open(partition: number, from: number, end = Infinity): PartitionReader {
    const reader = new PartitionReader(partition, from, end, () => {
      void this.pump();
    });
    this.readers.push(reader);
    return reader;
  }

  /** Ends every read. */
  close(): void {
    this.isClosed = true;
    for (const reader of this.readers) reader.close();
  }

  private async pump(): Promise<void> {
    try {
      if (this.leaders.length === 0) this.leaders = await this.parts.client.leaders(this.parts.topic, false);
      for (const leader of new Set(this.leaders)) if (!this.busy.has(leader)) void this.fetchFrom(leader);
    } catch (error) {
      this.fail(error);
    }
  }

  private async fetchFrom(leader: number): Promise<void> {
    const { client, topic, maxWaitMs } = this.parts;
    const own = this.readers.filter(({ partition }) => this.leaders[partition] === leader);
    // Nothing is fetched for partitions that have enough records, so a run that is blocked reads no further.
    if (this.isClosed || !own.some(({ isHungry }) => isHungry)) return;
    const wanted = own.filter(({ wantsMore }) => wantsMore);
    const isBusy = this.readers.some(({ size }) => size > 0);
    this.busy.add(leader);
    let hasMoved = false;
    try {
      const fetched = await client.fetch(leader, {
        topic,
        places: wanted.map(({ partition, next }) => ({ partition, offset: next })),
        maxWaitMs: isBusy ? SHORT_WAIT_MS : maxWaitMs,
        maxBytesPerPartition: Math.max(
          Math.min(MAX_BYTES, Math.floor(MAX_TOTAL_BYTES / this.readers.length)),
          MIN_BYTES,
        ),
      });
      for (const one of fetched) {
        if (await this.deliver(one)) hasMoved = true;
      }
      if (hasMoved) {
        await sleep(PAUSE_MS);
        this.leaders = await client.leaders(topic, true);
      }
    } catch (error) {
      this.fail(error);
      return;
    } finally {
      this.busy.delete(leader);
    }
    // After a move another leader may have the partition.
    if (hasMoved) void this.pump();
    else void this.fetchFrom(leader);
  }

  /** Resolves with true if the partition has moved to another leader. */
  private async deliver(fetched: Fetched): Promise<boolean> {
    const reader = this.readers.find(({ partition }) => partition === fetched.partition) as PartitionReader;
    const now = performance.now();
    if (fetched.kind === 'moved') {
      reader.missingSince ??= now;
      if (now - reader.missingSince > this.parts.timeoutMs) {
        throw runErrorOf(`read partition ${fetched.partition} of topic '${this.parts.topic.name}'`, fetched.error);
      }
      return true;
    }
    reader.missingSince = undefined;
    if (fetched.kind === 'records') reader.add(fetched.records, fetched.next);
    else await this.skipLost(reader);
    return false;
  }

  private async skipLost(reader: PartitionReader): Promise<void> {
    const { client, topic, onOffsetLost, notice } = this.parts;
    const [first, end] = await Promise.all([client.offsets(topic, 'earliest'), client.offsets(topic, 'latest')]);
    const [from, to] = [first[reader.partition] as number, end[reader.partition] as number];
    const gap =
      reader.next < from
        ? `partition ${reader.partition} of topic '${topic.name}' begins at offset ${from}: the records ${reader.next} to ${from - 1} were removed before they were read`
        : `partition ${reader.partition} of topic '${topic.name}' ends at offset ${to}, before offset ${reader.next}: it was truncated`;
    if (onOffsetLost === 'stop') {
      throw new MillraceError(
        'MILLRACE_KAFKA',
        `Cannot continue to read: ${gap}. Set \`onOffsetLost\` to 'earliest' or 'latest' to continue without them`,
      );
    }
    reader.next = onOffsetLost === 'earliest' ? from : to;
    notice(`Reading continues at offset ${reader.next}: ${gap}`);
  }

  private fail(error: unknown): void {
    if (this.isClosed) return;
    for (const reader of this.readers) reader.fail(error);
  }
}

/** Records of one partition, fetched ahead. */
export class PartitionReader {
  readonly partition: number;
  /** The offset of the next fetch. */
  next: number;
  /** The time since which the partition has no known leader. */
  missingSince: number | undefined;
  /** The offset at which the partition ends; Infinity if it does not. */
  readonly end: number;
  private readonly fetch: () => void;
  private fetched: readonly RawRecord[] = [];
  private ahead: readonly RawRecord[] = [];
  private place = 0;
  private failure: { readonly error: unknown } | undefined;
  private readonly waiter = new Waiter();
  private hasStarted = false;
  private isClosed = false;

  /** @param fetch asks for more records. */
  constructor(partition: number, from: number, end: number, fetch: () => void) {
    this.partition = partition;
    this.next = from;
    this.end = end;
    this.fetch = fetch;
  }

  /** Whether a read waits for records, or will soon. */
  get isHungry(): boolean {
    return this.wantsMore && (this.waiter.isWaiting || (this.hasStarted && this.place * 2 >= this.fetched.length));
  }

  /** The number of records in memory. */
  get size(): number {
    return this.fetched.length - this.place + this.ahead.length;
  }

  get wantsMore(): boolean {
    return !this.isClosed && this.ahead.length === 0 && this.next < this.end;
  }

  /** The offset up to which the run has received all records. */
  get given(): number {
    return (this.fetched[this.place] ?? this.ahead[0])?.offset ?? Math.min(this.next, this.end);
  }

  add(records: readonly RawRecord[], next: number): void {
    this.next = next;
    const isWithin = records.length === 0 || (records.at(-1) as RawRecord).offset < this.end;
    const own = isWithin ? records : records.filter(({ offset }) => offset < this.end);
    if (this.place < this.fetched.length) this.ahead = own;
    else this.set(own);
    if (own.length > 0 || this.next >= this.end) this.waiter.wake();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.waiter.wake();
  }

  /**
   * Returns 1 to `max` records, or null at the end or after `close`; a promise of them if they must be fetched first.
   */
  read(max: number): readonly RawRecord[] | null | Promise<readonly RawRecord[] | null> {
    if (this.failure !== undefined) throw this.failure.error;
    if (this.isClosed) return null;
    if (this.place === this.fetched.length) this.set(this.ahead);
    if (this.place < this.fetched.length) {
      const some = this.fetched.slice(this.place, this.place + max);
      this.place += some.length;
      if (this.isHungry) this.fetch();
      return some;
    }
    if (this.next >= this.end) return null;
    this.hasStarted = true;
    const fetching = this.waiter.wait();
    this.fetch();
    return fetching.then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.set([]);
    this.ahead = [];
    this.waiter.wake();
  }

  private set(records: readonly RawRecord[]): void {
    this.fetched = records;
    this.place = 0;
    if (records === this.ahead) this.ahead = [];
  }
}
