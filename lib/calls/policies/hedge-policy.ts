/**
 * A second try of a call that takes longer than most do (J. Dean, L. A. Barroso, "The Tail at Scale"). The first reply
 * wins and the other try is cancelled. Promises: only calls that may be repeated are hedged; never more than `share` of
 * all calls; nothing is hedged before `samples` calls have shown what is usual.
 */
import { Histogram } from '../../measure/histogram.js';
import { checkOptions, count, number, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/describe-ms.js';

/** When `hedgePolicy` makes a second try, and how many it may make. */
export interface HedgeOptions {
  /** Calls slower than this share of all calls get a second try. Default 0.95. */
  readonly quantile?: number;
  /** Never sooner than this many milliseconds. Default 5. */
  readonly minDelayMs?: number;
  /** The most hedges, as a share of all calls. Default 0.1. */
  readonly share?: number;
  /** Calls to see first. Default 100. */
  readonly samples?: number;
}

const RULES: OptionRules<HedgeOptions> = {
  quantile: number(0, 1),
  minDelayMs: number(0),
  share: number(0, 1),
  samples: count(),
};

/**
 * A second try of slow calls (J. Dean, L. A. Barroso, "The Tail at Scale"): the first reply wins,
 * and the other try is cancelled.
 */
export class HedgePolicy {
  /** The last hedge named in a set holds. */
  readonly kind = 'hedge';
  /** Calls slower than this share of all calls get a second try, 0 to 1. */
  readonly quantile: number;
  /** No second try sooner than this many milliseconds. */
  readonly minDelayMs: number;
  /** The most second tries, as a share of all calls, 0 to 1. */
  readonly share: number;
  /** Calls that must have succeeded before anything is hedged. */
  readonly samples: number;

  constructor(options: HedgeOptions = {}) {
    checkOptions('a hedge policy', options, RULES);
    const { quantile = 0.95, minDelayMs = 5, share = 0.1, samples = 100 } = options;
    this.quantile = quantile;
    this.minDelayMs = minDelayMs;
    this.share = share;
    this.samples = samples;
  }

  /** When and how much it hedges, as the summary of a run shows it. */
  toString(): string {
    return `hedge after p${Math.round(this.quantile * 1000) / 10}, at least ${describeMs(this.minDelayMs)}, at most ${Math.round(this.share * 1000) / 10} % of calls`;
  }
}

/**
 * Repeats slow calls while they are under way. Only for calls that may be repeated: else the run
 * fails with MILLRACE_INVALID_OPTION when it opens, as the function does for options out of range.
 *
 * @example hedgePolicy({ quantile: 0.95, share: 0.05 })
 */
export function hedgePolicy(options?: HedgeOptions): HedgePolicy {
  return new HedgePolicy(options);
}

/** How many calls one histogram is kept for: what was usual long ago is forgotten. */
const GENERATION = 5000;
const REFRESH_EVERY = 50;

/** When to hedge, from the latencies seen lately. */
export class HedgeTimer {
  private readonly policy: HedgePolicy;
  private previous = new Histogram();
  private present = new Histogram();
  private calls = 0;
  private hedges = 0;
  private cachedMs = Infinity;

  constructor(policy: HedgePolicy) {
    this.policy = policy;
  }

  /** A call succeeded after so long. */
  record(latencyMs: number): void {
    this.calls++;
    this.present.record(latencyMs);
    if (this.present.count >= GENERATION) {
      this.previous = this.present;
      this.present = new Histogram();
    }
    if (this.calls >= this.policy.samples && (this.calls % REFRESH_EVERY === 0 || this.cachedMs === Infinity)) {
      const both = new Histogram();
      both.merge(this.previous);
      both.merge(this.present);
      this.cachedMs = Math.max(this.policy.minDelayMs, both.quantileMs(this.policy.quantile));
    }
  }

  /** Milliseconds after which a call is hedged; Infinity while too little is known. */
  get delayMs(): number {
    return this.cachedMs;
  }

  /** Counts one hedge, if the share allows it. */
  spend(): boolean {
    if (this.hedges + 1 > this.policy.share * this.calls) return false;
    this.hedges++;
    return true;
  }
}
