/** A source that the contract has opened, read as the engine reads it. */
import type { PartitionPast, Source, SourcePartition, SourcePast } from '../../connect/source.js';
import { contextOfTest } from '../connector-context.js';
import { assertTrue } from './asserts.js';

/** A source that is open, with its partition. */
export class OpenSource<T> {
  readonly source: Source<T>;
  readonly partition: SourcePartition<T>;

  private constructor(source: Source<T>, partition: SourcePartition<T>) {
    this.source = source;
    this.partition = partition;
  }

  static async open<T>(source: Source<T>, past?: SourcePast, signal?: AbortSignal): Promise<OpenSource<T>> {
    const [partition, another] = await source.open(contextOfTest('Source', signal), past);
    assertTrue(another === undefined, 'it opens with several partitions');
    assertTrue(partition?.partition === 0, 'it does not open with partition 0');
    return new OpenSource(source, partition as SourcePartition<T>);
  }

  /** The remaining records, read `max` at a time. */
  async rest(max: number): Promise<unknown[]> {
    const all: unknown[] = [];
    for (;;) {
      const read = await this.partition.read(max);
      if (read === null) return all;
      const { length } = read.records;
      assertTrue(length >= 1 && length <= max, `asked for 1 to ${max} records, it gave ${length}`);
      all.push(...read.records);
    }
  }

  /** The positions that reads of up to `max` records return. */
  async positions(max: number): Promise<NonNullable<SourcePast['position']>[]> {
    const found: NonNullable<SourcePast['position']>[] = [];
    let next = 0;
    for (;;) {
      const read = await this.partition.read(max);
      if (read === null) return found;
      assertTrue(read.records.length >= 1, 'a read gave no records');
      next += read.records.length;
      if (read.position === undefined) continue;
      const { lineage } = read.position;
      assertTrue(lineage <= next, `a position is at record ${lineage}, and the next is ${next}`);
      found.push(read.position);
    }
  }

  async close(outcome: 'completed' | 'cancelled' = 'completed'): Promise<void> {
    await this.partition.close?.();
    await this.source.close?.(outcome);
  }
}

/** The past of these partitions, which a source receives when its run is resumed. */
export function pastOf(partitions: readonly PartitionPast[]): SourcePast {
  const first = partitions.find(({ partition }) => partition === 0);
  return { position: first?.position, from: first?.from ?? 0, partitions };
}
