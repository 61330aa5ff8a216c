/**
 * Repeats work if the database is temporarily unavailable, or asks for a repetition.
 *
 * Guarantees: the delays grow from 20 ms to 2 s, with randomness, so that several writers do not collide again. The
 * wait ends when the run is cancelled.
 */
import { sleep, type ConnectorContext } from '../../connect/index.js';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 2000;

/** How long work is repeated by default, in milliseconds. */
export const DEFAULT_RETRY_MS = 60_000;

export class Patience {
  private readonly context: Pick<ConnectorContext, 'clock' | 'random' | 'signal'>;
  private readonly retryForMs: number;
  private since: number | undefined;
  private count = 0;

  constructor(context: Pick<ConnectorContext, 'clock' | 'random' | 'signal'>, retryForMs = DEFAULT_RETRY_MS) {
    this.context = context;
    this.retryForMs = retryForMs;
  }

  /** The number of repetitions so far. */
  get repetitions(): number {
    return this.count;
  }

  /** Waits before the next repetition. Returns false if the time is over or the run has been cancelled. */
  async wait(): Promise<boolean> {
    const { clock, random, signal } = this.context;
    const nowMs = clock.monotonicMs();
    this.since ??= nowMs;
    if (signal.aborted || nowMs - this.since >= this.retryForMs) return false;
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.count++) * (0.5 + random() / 2);
    return sleep(clock, delayMs, signal);
  }
}
