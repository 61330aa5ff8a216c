/**
 * The services that all scopes of one run share: its identity, clock, random numbers and dead letters, and the
 * functions that fail the run or hold it back. Only the run creates them.
 */
import type { RunEvent } from '../../model/events.js';
import type { Executor } from '../../execution/executor.js';
import type { Clock, DeadLetterStore, RecordTracer } from '../../model/ports.js';
import type { Turn } from '../../ledger/turn.js';
import type { Upstream } from '../../model/upstream.js';
import type { Secrets } from '../../text/secrets.js';

export interface RunServices {
  readonly runId: string;
  /** A name that, together with a lineage of this root, identifies one record over all incarnations of the run. */
  readonly numberingOf: (root: string) => string;
  readonly clock: Clock;
  readonly random: () => number;
  /** A function, not a getter: an object with a getter of its own has another shape in each run, and V8 compiles again. */
  readonly signal: () => AbortSignal;
  readonly turn: Turn;
  /** The executor of heavy work: the thread pool, or inline. */
  readonly executor: () => Executor;
  readonly deadLetters: DeadLetterStore;
  /** Whether the run drains: its sources must stop before their end. */
  readonly isDraining: () => boolean;
  /** Whether work on another record may begin; see `TaskScope.mayStart`. */
  readonly mayStart: () => boolean;
  readonly emit: (event: RunEvent) => void;
  /** Ends the run as failed; only the first call counts. */
  readonly fail: (error: unknown) => void;
  /**
   * Like `fail`, but after one more checkpoint, if the run writes checkpoints. Only for the failure of a task of which
   * checkpoints contain neither state nor output.
   */
  readonly failAfterCheckpoint: (error: unknown) => void;
  /** Throws MILLRACE_LOCKED once another process has taken over the run. */
  readonly assertOwned: () => void;
  /** Stops the checkpoints of the run, for this reason. */
  readonly cannotResume: (reason: string) => void;
  /** Records that the outputs of this task depend on more than its input. */
  readonly cannotRepeat: (task: string) => void;
  /** Answers requests in place of the network. */
  readonly upstream: Upstream | undefined;
  /** The values to mask in all output of the run. */
  readonly secrets: Secrets;
  /** The tracer of sampled records. */
  readonly tracer: RecordTracer | undefined;
  /** The run does not finish before this work has. */
  readonly track: (work: Promise<unknown>) => void;
}
