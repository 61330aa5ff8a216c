/** What a connector may use of the run that it is part of. */
import type { Executor } from '../execution/executor.js';
import type { TaskContext } from '../model/ports.js';

/**
 * What a source or a sink gets when it opens: its name, the run's time and randomness, the signal that aborts when the run
 * is cancelled or fails.
 */
export interface ConnectorContext extends TaskContext {
  /** Where heavy work is done: inline, or in the threads of the run. */
  readonly executor: Executor;
  /** Reports one sentence to everyone who watches the run. */
  notice(message: string): void;
  /** Reports why this run cannot be resumed, where that shows only while it runs: no more checkpoints are made. */
  cannotResume(reason: string): void;
  /** Calls back when a source should end early: the run drains, or nobody needs more records. */
  whenEnding(listener: () => void): void;
  /** The run does not finish before this work has; what it throws fails the run. */
  track(work: Promise<unknown>): void;
}
