/** A source with several partitions that the contract has opened. Each partition is read on its own. */
import type { PartitionPast, Source, SourcePartition } from '../../connect/source.js';
import { describeValue } from '../../model/errors.js';
import type { Lineage } from '../../model/record.js';
import type { SourcePosition } from '../../tasks/source-task.js';
import { contextOfTest } from '../connector-context.js';
import { assertSame, assertTrue } from './asserts.js';
import { pastOf } from './open-source.js';

export interface NumberedRecord {
  readonly number: Lineage;
  readonly record: unknown;
}

/** A source with several partitions that is open. */
export class OpenPartitions<T> {
  readonly source: Source<T>;
  private readonly partitions: ReadonlyMap<number, SourcePartition<T>>;
  private readonly next = new Map<number, Lineage>();
  private readonly positions = new Map<number, SourcePosition[]>();

  private constructor(source: Source<T>, partitions: readonly SourcePartition<T>[]) {
    this.source = source;
    this.partitions = new Map(partitions.map((partition) => [partition.partition, partition]));
    assertSame('the numbers of its partitions', [...this.partitions.keys()].length, partitions.length);
  }

  static async open<T>(source: Source<T>, past?: readonly PartitionPast[]): Promise<OpenPartitions<T>> {
    return new OpenPartitions(source, await source.open(contextOfTest('Source'), past && pastOf(past)));
  }

  get numbers(): number[] {
    return [...this.partitions.keys()].sort((a, b) => a - b);
  }

  fromOf(partition: number): Lineage {
    return this.partition(partition).from ?? 0;
  }

  positionsOf(partition: number): readonly SourcePosition[] {
    return this.positions.get(partition) ?? [];
  }

  async read(partition: number, max: number): Promise<NumberedRecord[] | null> {
    const read = await this.partition(partition).read(max);
    if (read === null) return null;
    const { records, numbers, position } = read;
    const { length } = records;
    assertTrue(length >= 1 && length <= max, `asked for 1 to ${max} records, it gave ${length}`);
    const first = this.next.get(partition) ?? this.fromOf(partition);
    const own = numbers ?? records.map((_, i) => first + i);
    assertTrue(own.length === length, `it gave ${length} records, and ${own.length} numbers`);
    const isAscending = own.every((number, i) => number >= (i === 0 ? first : (own[i - 1] as number) + 1));
    assertTrue(isAscending, `the numbers do not ascend: ${describeValue(own)}`);
    const next = (own.at(-1) as number) + 1;
    this.next.set(partition, next);
    if (position !== undefined) {
      assertTrue(position.lineage <= next, `a position is at record ${position.lineage}, and the next is ${next}`);
      this.positions.set(partition, [...this.positionsOf(partition), position]);
    }
    return records.map((record, i) => ({ number: own[i] as number, record }));
  }

  /** The remaining records of a partition, read `max` at a time. */
  async rest(partition: number, max: number): Promise<NumberedRecord[]> {
    const all: NumberedRecord[] = [];
    for (;;) {
      const read = await this.read(partition, max);
      if (read === null) return all;
      all.push(...read);
    }
  }

  async close(outcome: 'completed' | 'cancelled' = 'completed'): Promise<void> {
    for (const partition of this.partitions.values()) await partition.close?.();
    await this.source.close?.(outcome);
  }

  private partition(number: number): SourcePartition<T> {
    const partition = this.partitions.get(number);
    assertTrue(partition !== undefined, `it does not open partition ${number}`);
    return partition as SourcePartition<T>;
  }
}
