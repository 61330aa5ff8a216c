/** The resolved parts of a run, which a workflow passes to it. */
import type { Checkpoint, CheckpointStore, RunDefinition } from '../../model/checkpoint.js';
import type { ThreadLimits } from '../../execution/executor.js';
import type { GraphPlan } from '../../model/graph.js';
import type { Awaitable, Clock, DeadLetterStore, LetterHead } from '../../model/ports.js';
import type { RecordTracer } from '../../model/ports.js';
import type { RunEvent } from '../../model/events.js';
import type { Observable } from 'rxjs';
import type { EngineOfRun } from './engine-of-run.js';
import type { RunFace } from './run-face.js';
import type { RunSummary } from '../../model/run-summary.js';
import type { Upstream } from '../../model/upstream.js';
import type { Secrets } from '../../text/secrets.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { CheckpointSchedule } from '../resume/checkpointer.js';
import type { Fusions } from '../definition/fusion.js';
import type { ResumePlan } from '../resume/resume-plan.js';
import type { ThreadCount } from './run-executor.js';

/** Traces one run by its events, and single records. Each tracer belongs to one run. */
export interface RunTracer extends RecordTracer {
  /** Called once, before the first event. */
  follow(events$: Observable<RunEvent>): void;
}

export interface RunParts {
  readonly runId: string;
  readonly workflow: string;
  readonly description: string;
  /** The configuration as the schema returned it; events show it with secrets masked. */
  readonly config: unknown;
  readonly plan: GraphPlan;
  readonly declarations: readonly TaskDeclaration[];
  readonly window: number;
  readonly seed: number;
  readonly clock: Clock;
  readonly deadLetters: DeadLetterStore;
  readonly threads: ThreadCount;
  readonly threadLimits: ThreadLimits;
  readonly fusions: Fusions;
  /** Cancels the run when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** The milliseconds that a draining run may take before it is aborted. Default: no limit. */
  readonly graceMs?: number | undefined;
  /** Whether records are frozen when they leave a task. Default false. */
  readonly freezesRecords?: boolean | undefined;
  /** Set if the progress of the run is kept. */
  readonly progress?: KeptProgress | undefined;
  /** Answers requests in place of the network. */
  readonly upstream?: Upstream | undefined;
  /** The values to mask in all output of the run. Default: those that its configuration and its tasks name. */
  readonly secrets?: Secrets | undefined;
  /** Follows the run and its records. */
  readonly tracer?: RunTracer | undefined;
  /** Makes the engine of the run. Default: the engine of this process. */
  readonly carry?: ((parts: RunParts, face: RunFace) => EngineOfRun) | undefined;
  /** The time of the first start of the run, in milliseconds since 1970. */
  readonly startedAt: number;
  /** Called after everything else is closed, on every path. */
  readonly release?: (() => Promise<void> | void) | undefined;
  /** Called with the summary before `finished` settles. An error that it throws fails a completed run. */
  readonly onEnd?: ((summary: RunSummary) => Awaitable<void>) | undefined;
}

/** The parts that keep the progress of a run, so that it can be resumed. */
export interface KeptProgress {
  readonly store: CheckpointStore;
  readonly schedule: CheckpointSchedule;
  readonly definition: RunDefinition;
  readonly plan: ResumePlan;
  /** The checkpoint that this incarnation resumes from. */
  readonly from?: Checkpoint | undefined;
  /** For a finished run: the dead letters whose records are processed again. */
  readonly redo?: readonly LetterHead[] | undefined;
}
