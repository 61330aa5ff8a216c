/**
 * Hedged requests (J. Dean, L. A. Barroso, "The Tail at Scale"): a call that takes longer than most others gets a
 * second attempt. The first reply wins and the other attempt is cancelled.
 *
 * Guarantees: only calls that may be repeated are hedged, at most `share` of all calls, and none before `samples` calls
 * have shown the usual latency.
 */
import { count, number, resolveOptions, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/quantities.js';

/** Options of `hedgePolicy`: when a second attempt starts, and the limits of their number. */
export interface HedgeOptions {
  /** The latency quantile, from 0 to 1, above which a call is hedged. Default 0.95. */
  readonly quantile?: number;
  /** The shortest delay before a hedge, in milliseconds. Default 5. */
  readonly minDelayMs?: number;
  /** The most hedges, as a share of all calls, from 0 to 1. Default 0.1. */
  readonly share?: number;
  /** Calls that must succeed before the first hedge. Default 100. */
  readonly samples?: number;
}

const RULES: OptionRules<HedgeOptions> = {
  quantile: number(0, 1),
  minDelayMs: number(0),
  share: number(0, 1),
  samples: count(),
};
const DEFAULTS = { quantile: 0.95, minDelayMs: 5, share: 0.1, samples: 100 };
const TABLE = { name: 'a hedge policy', rules: RULES, defaults: DEFAULTS };

/** A second attempt for slow calls. The first reply wins and the other attempt is cancelled. */
export class HedgePolicy {
  /** Of several hedge policies in a set, the last one applies. */
  readonly kind = 'hedge';
  /** The resolved options. */
  readonly options: Readonly<Required<HedgeOptions>>;

  constructor(options: HedgeOptions = {}) {
    this.options = resolveOptions(TABLE, options);
  }

  /** The quantile, the shortest delay and the share, as the summary of a run shows them. */
  toString(): string {
    const { quantile, minDelayMs, share } = this.options;
    return `hedge after p${Math.round(quantile * 1000) / 10}, at least ${describeMs(minDelayMs)}, at most ${Math.round(share * 1000) / 10} % of calls`;
  }
}

/**
 * Starts a second attempt for slow calls. The calls must be repeatable; otherwise the run fails with
 * MILLRACE_INVALID_OPTION when it opens. The function throws the same code if an option is unknown or out of range.
 *
 * @example hedgePolicy({ quantile: 0.95, share: 0.05 })
 */
export function hedgePolicy(options?: HedgeOptions): HedgePolicy {
  return new HedgePolicy(options);
}
