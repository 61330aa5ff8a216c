/**
 * One partition of an aggregate, where it runs: all records of its keys, folded in the order they came.
 * Promise: results are given in the order in which their keys first appeared, each state released as its result is made.
 */
import { FatalTaskError } from './errors.js';
import type { ChunkResult, Collected, Ending, PartitionJob } from './executor.js';
import type { AnyAggregate } from './load-export.js';
import { PROGRESS, type ChunkRun, type LoadedJob } from './running-job.js';
import { Skip } from './record.js';

interface Group {
  /** The number of the first record of the key. */
  readonly from: number;
  state: unknown;
}

export class LoadedPartition implements LoadedJob {
  private readonly job: PartitionJob;
  private readonly aggregate: AnyAggregate;
  private readonly groups = new Map<unknown, Group>();

  constructor(job: PartitionJob, aggregate: AnyAggregate) {
    this.job = job;
    this.aggregate = aggregate;
  }

  transferOf(): readonly object[] {
    return [];
  }

  /** The lineage of a record stands for its number in the whole input: the records of a partition are not consecutive. */
  run({ chunk: { records, lineages }, progress }: ChunkRun): ChunkResult {
    const endings: Ending[] = [];
    const startedAtMs = performance.now();
    for (let i = 0; i < records.length; i++) {
      progress[PROGRESS.index] = i;
      try {
        this.fold(records[i], lineages[i] as number);
      } catch (error) {
        if (error instanceof FatalTaskError) throw error;
        endings.push({ index: i, stage: 0, error });
      }
    }
    return { outputs: [], endings, elapsedMs: [performance.now() - startedAtMs] };
  }

  *collect(): Generator<Collected, void, undefined> {
    for (const [key, { from, state }] of this.groups) {
      this.groups.delete(key);
      try {
        const output = this.aggregate.finish(state, key);
        yield output instanceof Skip ? { from, skip: output.reason } : { from, output };
      } catch (error) {
        yield { from, failure: { error, key } };
      }
    }
  }

  private fold(record: unknown, from: number): void {
    const { key, init, add } = this.aggregate;
    const name = key === undefined ? undefined : key(record);
    const group = this.groups.get(name);
    if (group !== undefined) {
      group.state = add(group.state, record);
      return;
    }
    if (this.groups.size === this.job.maxKeys) {
      throw new FatalTaskError(
        'MILLRACE_AGGREGATE_OVERFLOW',
        `'${this.job.task}' holds ${this.job.maxKeys} keys in one partition, and another came. Raise \`maxKeys\`, or choose a coarser key`,
      );
    }
    this.groups.set(name, { from, state: add(init(name), record) });
  }
}
