/**
 * The executor for the heavy work of one run.
 *
 * Guarantees: each run has one executor, shared by its tasks; a run whose tasks need no threads never loads the code
 * for them; the counts of the threads are kept after the threads end.
 */
import type { ThreadNews } from '../../model/events.js';
import type { Executor, ThreadLimits } from '../../execution/executor.js';
import type { ExecutorStats } from '../../model/thread-stats.js';
import { holdClock } from '../../model/clock.js';
import { InlineExecutor, type Slices } from '../../execution/inline-executor.js';

/** The number of threads: 0 for none (everything inline), or 'auto' for one thread per core. */
export type ThreadCount = number | 'auto';

export class RunExecutor {
  private readonly threads: ThreadCount;
  private readonly limits: ThreadLimits;
  private readonly slices: Slices;
  private readonly onNews: (news: ThreadNews, slot: number) => void;
  private executor: Executor;
  private last: ExecutorStats | undefined;

  constructor(
    threads: ThreadCount,
    limits: ThreadLimits,
    slices: Slices,
    onNews: (news: ThreadNews, slot: number) => void,
  ) {
    this.threads = threads;
    this.limits = limits;
    this.slices = slices;
    this.onNews = onNews;
    this.executor = new InlineExecutor(slices);
  }

  get current(): Executor {
    return this.executor;
  }

  stats(): ExecutorStats {
    return this.last ?? this.executor.stats();
  }

  /** Loads the code for threads, if tasks of the run need it. Starts no thread. */
  async prepare(isWanted: boolean): Promise<void> {
    if (!isWanted || this.threads === 0) return;
    const { ThreadExecutor } = await holdClock(this.slices, import('../../workers/thread-executor.js'));
    // The run may have been cancelled meanwhile.
    if (this.last !== undefined) return;
    this.executor = new ThreadExecutor({ threads: this.threads, limits: this.limits, onNews: this.onNews });
  }

  async close(): Promise<void> {
    this.last ??= this.executor.stats();
    await this.executor.close();
  }
}
