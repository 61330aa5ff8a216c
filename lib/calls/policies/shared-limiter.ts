/**
 * A limit that several tasks share, because they call the same upstream: calls in flight, and records a second.
 *
 * Promises: over all tasks that were given it, never more than `concurrency` calls are in flight; whoever waits is woken
 * in turn, so no task starves another. It is the one policy with state of its own: make it where the workflow is built.
 */
import { anObject, checkOptions, count, type OptionRules } from '../../options/options.js';
import { RateLimit, type RateLimitOptions, type TokenBucket } from './rate-limit.js';

/** What all tasks that are given the limiter may do together. */
export interface SharedLimiterOptions {
  /** The most calls in flight over all tasks. */
  readonly concurrency: number;
  /** Records a second over all tasks. Default: no limit. */
  readonly rate?: RateLimit | RateLimitOptions;
}

const RULES: OptionRules<SharedLimiterOptions> = { concurrency: count(), rate: anObject };

/**
 * A limit that several tasks share because they call the same upstream. It holds state, and so is
 * made once, where the workflow is built.
 */
export class SharedLimiter {
  /** The last limiter named in a set holds. */
  readonly kind = 'limiter';
  /** Shows in the summary of a run; two limiters of one name share nothing. */
  readonly name: string;
  /** The most calls in flight over all tasks. */
  readonly concurrency: number;
  private readonly rate: RateLimit | undefined;
  private bucket: TokenBucket | undefined;
  private taken = 0;
  private abandoned = 0;
  /** Who waits, in the order of asking. */
  private readonly waiting = new Set<() => void>();

  constructor(name: string, options: SharedLimiterOptions) {
    checkOptions('a shared limiter', options, RULES, ['concurrency']);
    this.name = name;
    this.concurrency = options.concurrency;
    const { rate } = options;
    this.rate = rate === undefined || rate instanceof RateLimit ? rate : new RateLimit(rate);
  }

  /** Calls that have entered and not left, over all tasks. */
  get inFlight(): number {
    return this.taken;
  }

  /** 0 if a call of `records` records may start now, the milliseconds until it may, or Infinity: then `wake` is called. */
  enter(records: number, nowMs: number, wake: () => void): number {
    if (this.taken >= this.concurrency) {
      this.waiting.add(wake);
      return Infinity;
    }
    if (this.rate !== undefined) {
      this.bucket ??= this.rate.start(nowMs);
      const waitMs = this.bucket.take(records, nowMs);
      if (waitMs > 0) return waitMs;
    }
    this.taken++;
    return 0;
  }

  /** Whether every place is held by a call that nobody waits for any more. */
  get isAbandoned(): boolean {
    return this.taken >= this.concurrency && this.abandoned === this.taken;
  }

  /** Nobody waits for one of the calls any more; it keeps its place until its work is over. */
  abandon(): void {
    this.abandoned++;
    // Who waits learns what for.
    if (this.isAbandoned) for (const wake of [...this.waiting]) wake();
  }

  /** Gives the place of one call back, and wakes who waits, in the order of asking. */
  leave(wasAbandoned = false): void {
    if (wasAbandoned) this.abandoned--;
    this.taken--;
    // A copy: who is woken and finds nothing to do must not be asked again in this round.
    for (const wake of [...this.waiting]) {
      if (this.taken >= this.concurrency) return;
      this.waiting.delete(wake);
      wake();
    }
  }

  /** Whoever waits does not any more. */
  forget(wake: () => void): void {
    this.waiting.delete(wake);
  }

  /** Its name and limits, as the summary of a run shows them. */
  toString(): string {
    return `limiter '${this.name}': ${this.concurrency} in flight${this.rate === undefined ? '' : `, ${String(this.rate)}`}`;
  }
}

/**
 * A limit of calls in flight, and of records a second if wanted, over all tasks that are given it.
 * Throws MILLRACE_INVALID_OPTION where an option is unknown or out of range.
 *
 * @example const ats = sharedLimiter('ats', { concurrency: 64, rate: { perSecond: 500 } })
 */
export function sharedLimiter(name: string, options: SharedLimiterOptions): SharedLimiter {
  return new SharedLimiter(name, options);
}
