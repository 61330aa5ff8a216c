/**
 * One partition of an aggregate, in the thread that runs it.
 *
 * Guarantees: a record that cannot be added ends alone.
 */
import { FatalTaskError } from '../model/errors.js';
import type { ChunkResult, Collected, Ending, PartitionJob } from './executor.js';
import type { AnyAggregate } from './load-export.js';
import { PartitionGroups } from './partition-groups.js';
import { PROGRESS, type ChunkWork, type LoadedJob } from './running-job.js';

export class LoadedPartition implements LoadedJob {
  private readonly groups: PartitionGroups;

  constructor(job: PartitionJob, aggregate: AnyAggregate) {
    this.groups = new PartitionGroups(aggregate, job);
  }

  transferOf(): readonly object[] {
    return [];
  }

  /** The place of a record is its number in the whole input: the records of a partition are not consecutive. */
  execute({ chunk: { records, places = [] }, progress }: ChunkWork): ChunkResult {
    const endings: Ending[] = [];
    const startedAtMs = performance.now();
    for (let i = 0; i < records.length; i++) {
      progress[PROGRESS.index] = i;
      try {
        this.groups.add(records[i], places[i] as number);
      } catch (error) {
        if (error instanceof FatalTaskError) throw error;
        endings.push({ index: i, stage: 0, error });
      }
    }
    return { outputs: [], endings, elapsedMs: [performance.now() - startedAtMs] };
  }

  collect(): Generator<Collected, void, undefined> {
    return this.groups.collect();
  }
}
