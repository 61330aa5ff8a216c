/**
 * What a run needs of a carrier, which executes its tasks in other places than this process. The run keeps its face:
 * its id, its events, its counts, its summary and its end.
 */
import type { GraphPlan } from '../../model/graph.js';
import type { TaskCounts } from '../../model/metrics.js';
import type { ExecutorStats } from '../../model/thread-stats.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { PreparedWorkflow } from '../definition/prepared-workflow.js';
import type { DrainOptions } from './draining.js';
import type { RunFace } from './run-engine.js';
import type { RunParts } from './run-parts.js';

/** A workflow with its configuration, as a carrier uses it. */
export type CarriedWorkflow = Pick<PreparedWorkflow, 'name' | 'config' | 'startedAt' | 'derive'> & {
  readonly plan: GraphPlan;
  readonly declarations: readonly TaskDeclaration[];
};

/** The engine of one run: what `Run` asks of it. */
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
  /** Stops the sources and lets the records in flight settle. */
  drain(options?: DrainOptions): void;
  /** Ends the run as failed. */
  fail(error: unknown): void;
}

/** Executes runs in other places than this process; `kafkaCarrier` of `millrace/lanes` makes one. */
export interface Carrier {
  /** The engine of a run. It calls `onEnd` of the face once. */
  carry(workflow: CarriedWorkflow, parts: RunParts, face: RunFace): EngineOfRun;
}
