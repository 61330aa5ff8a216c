/** The engine of one run, as `Run` uses it. */
import type { TaskCounts } from '../../model/metrics.js';
import type { ExecutorStats } from '../../model/thread-stats.js';

export interface EngineOfRun {
  /** The account of each task at this moment. */
  readonly counts: Readonly<Record<string, TaskCounts>>;
  /** The threads of the run at this moment. */
  readonly threads: ExecutorStats;
  /** True while tasks run after the end of the run. */
  readonly isInAftermath: boolean;
  /** Begins the run. Must be called once. Rejects only if the run has no end yet. */
  start(): Promise<void>;
  /** Aborts the run. */
  cancel(): void;
  /** Stops the sources and lets the records in flight settle; see `Run.drain`. */
  drain(options?: { readonly graceMs?: number | undefined }): void;
  /** Ends the run as failed. */
  fail(error: unknown): void;
}
