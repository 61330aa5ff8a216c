/**
 * What all scopes of one run share: its identity, time, randomness, dead letters, and the ways to fail it or hold it
 * back. Only the run makes one.
 */
import type { RunEvent } from '../../model/events.js';
import type { Executor } from '../../execution/executor.js';
import type { Clock, DeadLetterStore, RecordTracer } from '../../model/ports.js';
import type { Turn } from '../../ledger/turn.js';
import type { Upstream } from '../../model/upstream.js';

export interface RunServices {
  readonly runId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly turn: Turn;
  /** Where heavy work is done. */
  readonly executor: () => Executor;
  readonly deadLetters: DeadLetterStore;
  /** Sources were asked to stop before they were over. */
  readonly isDraining: () => boolean;
  readonly emit: (event: RunEvent) => void;
  /** Ends the run as failed; only the first call counts. */
  readonly fail: (error: unknown) => void;
  /** No more checkpoints are made, for this reason. */
  readonly cannotResume: (reason: string) => void;
  /** Answers requests in place of the network. */
  readonly upstream: Upstream | undefined;
  /** Where single records are traced. */
  readonly tracer: RecordTracer | undefined;
  /** The run does not finish before this work has. */
  readonly track: (work: Promise<unknown>) => void;
}
