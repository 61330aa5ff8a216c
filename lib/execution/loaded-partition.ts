/**
 * One partition of an aggregate, in the thread that runs it.
 *
 * Guarantees: a record that cannot be added ends alone.
 */
import type { ChunkResult, Collected, PartitionWorkload } from './executor.js';
import { foldChunk } from './fold.js';
import type { AnyAggregate } from './load-export.js';
import { PartitionGroups } from './partition-groups.js';
import type { ChunkWork, LoadedWorkload } from './running-workload.js';

export class LoadedPartition implements LoadedWorkload {
  private readonly groups: PartitionGroups;

  constructor(workload: PartitionWorkload, aggregate: AnyAggregate) {
    this.groups = new PartitionGroups(aggregate, workload);
  }

  transferOf(): readonly object[] {
    return [];
  }

  /** The place of a record is its number in the whole input: the records of a partition are not consecutive. */
  execute(work: ChunkWork): ChunkResult {
    const { places = [] } = work.chunk;
    const folded = foldChunk(work, (record, index) => {
      this.groups.add(record, places[index] as number);
    });
    return { ...folded, outputs: [] };
  }

  collect(): Generator<Collected, void, undefined> {
    return this.groups.collect();
  }
}
