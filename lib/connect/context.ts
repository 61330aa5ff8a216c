/** The part of a run that a connector may use. */
import type { Executor } from '../execution/executor.js';
import type { TaskContext } from '../model/ports.js';
import type { Upstream } from '../model/upstream.js';
import type { Secrets } from '../text/secrets.js';

/**
 * The context that a source or a sink receives when it opens: its name, the clock and the randomness of the run, and
 * the signal that aborts when the run is cancelled or fails.
 */
export interface ConnectorContext extends TaskContext {
  /** Answers requests in place of the network; undefined if the run uses the network. */
  readonly upstream?: Upstream | undefined;
  /** Runs heavy work, inline or in the threads of the run. */
  readonly executor: Executor;
  /** Add the credentials of a connection, so that they are masked in all that the run writes. */
  readonly secrets: Pick<Secrets, 'add' | 'addHeaders' | 'addText'>;
  /** Reports one sentence to all observers of the run. */
  notice(message: string): void;
  /** Reports why this run cannot be resumed, if that is known only during the run. No more checkpoints are made. */
  cannotResume(reason: string): void;
  /** Calls the listener when a source should end early: the run drains, or no task needs more records. */
  whenEnding(listener: () => void): void;
  /**
   * Throws MILLRACE_LOCKED once another process has taken over the run; undefined if no other process can. Call it
   * before a step that would take something away from the successor.
   */
  assertOwned?(): void;
  /** The run finishes only after this work. An error fails the run. */
  track(work: Promise<unknown>): void;
}
