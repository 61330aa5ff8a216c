/**
 * A limit shared by several tasks that call the same upstream: calls in flight, and records per second.
 *
 * Guarantees: over all tasks that share it, at most `concurrency` calls are in flight. Waiting tasks are woken in the
 * order in which they asked, so no task starves another. It is the only policy with state of its own: create it where
 * the workflow is built.
 */
import { anObject, checkOptions, count, type OptionRules } from '../../options/options.js';
import { RateLimit, type RateLimitOptions, type TokenBucket } from './rate-limit.js';

/** The limits of a `sharedLimiter`, over all tasks that share it. */
export interface SharedLimiterOptions {
  /** The most calls in flight. */
  readonly concurrency: number;
  /** Records per second. Default: no limit. */
  readonly rate?: RateLimit | RateLimitOptions;
}

const RULES: OptionRules<SharedLimiterOptions> = { concurrency: count(), rate: anObject };

/** A limit shared by several tasks that call the same upstream. Create it once, where the workflow is built. */
export class SharedLimiter {
  /** Of several limiters in a set, the last one applies. */
  readonly kind = 'limiter';
  /** Shown in the summary of a run. Two limiters with the same name share nothing. */
  readonly name: string;
  /** The most calls in flight over all tasks. */
  readonly concurrency: number;
  private readonly rate: RateLimit | undefined;
  private bucket: TokenBucket | undefined;
  private acquired = 0;
  private abandoned = 0;
  /** The wake-up functions of the waiting tasks, in the order in which they asked. */
  private readonly waiters = new Set<() => void>();

  constructor(name: string, options: SharedLimiterOptions) {
    checkOptions('a shared limiter', options, RULES, ['concurrency']);
    this.name = name;
    this.concurrency = options.concurrency;
    const { rate } = options;
    this.rate = rate === undefined || rate instanceof RateLimit ? rate : new RateLimit(rate);
  }

  /** Calls that hold a permit, over all tasks. */
  get inFlight(): number {
    return this.acquired;
  }

  /** Whether abandoned calls hold all permits. */
  get isAbandoned(): boolean {
    return this.acquired >= this.concurrency && this.abandoned === this.acquired;
  }

  /**
   * Acquires a permit for a call with this many records: 0 if it may start now, otherwise the milliseconds until it
   * may. Infinity means that all permits are in use; then `wake` is called when one is released.
   */
  acquire(records: number, nowMs: number, wake: () => void): number {
    if (this.acquired >= this.concurrency) {
      this.waiters.add(wake);
      return Infinity;
    }
    if (this.rate !== undefined) {
      this.bucket ??= this.rate.start(nowMs);
      const waitMs = this.bucket.acquire(records, nowMs);
      if (waitMs > 0) return waitMs;
    }
    this.acquired++;
    return 0;
  }

  /** Releases the permit of one call, and wakes waiting tasks in the order in which they asked. */
  release(): void {
    this.acquired--;
    // A copy: a task that is woken and waits again must not be woken again in this loop.
    for (const wake of [...this.waiters]) {
      if (this.acquired >= this.concurrency) return;
      this.waiters.delete(wake);
      wake();
    }
  }

  /** Releases the permit of a call with this many records that does not start after all. */
  giveBack(records: number): void {
    this.bucket?.giveBack(records);
    this.release();
  }

  /** Marks one call as cancelled while its work still runs. It keeps its permit until `releaseAbandoned`. */
  abandon(): void {
    this.abandoned++;
    // Waiting tasks learn that only abandoned calls hold the permits.
    if (this.isAbandoned) for (const wake of [...this.waiters]) wake();
  }

  /** Releases the permit of an abandoned call whose work has ended. */
  releaseAbandoned(): void {
    this.abandoned--;
    this.release();
  }

  /** Removes a waiting task. */
  removeWaiter(wake: () => void): void {
    this.waiters.delete(wake);
  }

  /** The name and the limits, as the summary of a run shows them. */
  toString(): string {
    return `limiter '${this.name}': ${this.concurrency} in flight${this.rate === undefined ? '' : `, ${String(this.rate)}`}`;
  }
}

/**
 * A limit of calls in flight, and optionally of records per second, over all tasks that share it. Throws
 * MILLRACE_INVALID_OPTION if an option is unknown or out of range.
 *
 * @example const ats = sharedLimiter('ats', { concurrency: 64, rate: { perSecond: 500 } })
 */
export function sharedLimiter(name: string, options: SharedLimiterOptions): SharedLimiter {
  return new SharedLimiter(name, options);
}
