/**
 * Finds out how many calls an upstream likes to have at once, from the gradient of its latency and from its errors.
 *
 * After Netflix's concurrency-limits (Gradient2) and TCP Vegas: a window of calls has a typical latency; its ratio to
 * the latency of an idle upstream says how much of the limit stands in a queue over there. A new limit is the old one
 * times that ratio, plus a queue of √limit for headroom. Errors of load shrink it at once. The idle latency is
 * measured anew now and then with a smaller limit, because upstreams change.
 *
 * Promises: never outside of `min` and `max`; changes only while the limit is what holds calls back; pure, without a
 * timer: the same calls give the same limits.
 */
import { checkCount, checkNumber, checkOptions, count, number, type OptionRules } from '../../options/options.js';

/** Bounds of `adaptiveConcurrency`, in calls in flight. */
export interface AdaptiveConcurrencyOptions {
  /** The fewest calls in flight, at least 1. Default 1. */
  readonly min?: number;
  /** The most calls in flight, at least `min`. Default 512. */
  readonly max?: number;
  /** Where to start. Default 16, within the bounds. */
  readonly initial?: number;
  /** How much slower than idle a call may be before it counts as queued, at least 1. Default 1.1. */
  readonly tolerance?: number;
}

const RULES: OptionRules<AdaptiveConcurrencyOptions> = {
  min: count(),
  max: count(),
  initial: count(),
  tolerance: number(1),
};

/**
 * A limit that follows the latency and the errors of the upstream, after Netflix's
 * concurrency-limits (Gradient2) and TCP Vegas. The policy holds no state: each task has a limit of
 * its own.
 */
export class AdaptiveConcurrency {
  /** Of one kind with a fixed number: the last one named in a set holds. */
  readonly kind = 'concurrency';
  /** The fewest calls in flight. */
  readonly min: number;
  /** The most calls in flight. */
  readonly max: number;
  /** The limit before anything is known. */
  readonly initial: number;
  /** The ratio to the idle latency above which calls count as queued. */
  readonly tolerance: number;

  constructor(options: AdaptiveConcurrencyOptions = {}) {
    checkOptions('adaptive concurrency', options, RULES);
    const { min = 1, max = 512, tolerance = 1.1 } = options;
    checkCount('max', max, min);
    const { initial = Math.min(max, Math.max(min, 16)) } = options;
    checkNumber('initial', initial, min, max);
    this.min = min;
    this.max = max;
    this.initial = initial;
    this.tolerance = tolerance;
  }

  /** A limit at `initial`, for the calls of one task in one run. */
  start(): ConcurrencyLimit {
    return new GradientLimit(this);
  }

  /** Its bounds, as the summary of a run shows them. */
  toString(): string {
    return `concurrency chosen between ${this.min} and ${this.max}`;
  }
}

/**
 * The policy behind `concurrency: 'auto'`, with bounds of your own. Throws MILLRACE_INVALID_OPTION
 * where an option is unknown or out of range.
 *
 * @example adaptiveConcurrency({ max: 256 })
 */
export function adaptiveConcurrency(options?: AdaptiveConcurrencyOptions): AdaptiveConcurrency {
  return new AdaptiveConcurrency(options);
}

/** A number of calls in flight that never changes. */
export class FixedConcurrency {
  /** The last limit named in a set holds. */
  readonly kind = 'concurrency';
  /** Calls in flight. */
  readonly max: number;

  /** Throws MILLRACE_INVALID_OPTION for what is no whole number of at least 1. */
  constructor(max: number) {
    checkCount('concurrency', max);
    this.max = max;
  }

  /** The limit of one task. */
  start(): ConcurrencyLimit {
    return { limit: this.max, succeed: () => false, overload: () => false };
  }

  /** As the policies of a task print. */
  toString(): string {
    return `${this.max} calls in flight`;
  }
}

export interface ConcurrencyLimit {
  readonly limit: number;
  /** A call took so long, with so many in flight when it ended. Gives whether the limit changed. */
  succeed(latencyMs: number, inFlight: number): boolean;
  /** The upstream failed in a way that fewer calls may help. */
  overload(inFlight: number): boolean;
}

const MIN_WINDOW = 20;
const MAX_WINDOW = 400;
/** How much of the way to a new limit is gone at once. */
const SMOOTHING = 0.5;
/** Windows between two measurements of the idle latency. */
const REMEASURE_EVERY = 40;

class GradientLimit implements ConcurrencyLimit {
  private readonly policy: AdaptiveConcurrency;
  private exact: number;
  private idleMs = Infinity;
  private samples: number[] = [];
  private errors = 0;
  private wasFull = false;
  private windows = 0;
  /** The limit to come back to after a measurement of the idle latency. */
  private resumeAt: number | undefined;
  /** Calls to let pass unseen: they started under the limit before. */
  private unsettled = 0;
  private isStarting = true;

  constructor(policy: AdaptiveConcurrency) {
    this.policy = policy;
    this.exact = policy.initial;
  }

  get limit(): number {
    return Math.max(this.policy.min, Math.min(this.policy.max, Math.floor(this.exact)));
  }

  succeed(latencyMs: number, inFlight: number): boolean {
    if (this.unsettled > 0) {
      this.unsettled--;
      return false;
    }
    this.samples.push(latencyMs);
    if (inFlight >= this.limit) this.wasFull = true;
    if (this.samples.length < Math.min(MAX_WINDOW, Math.max(MIN_WINDOW, this.limit))) return false;
    return this.closeWindow();
  }

  overload(inFlight: number): boolean {
    if (this.unsettled > 0) {
      this.unsettled--;
      return false;
    }
    this.errors++;
    // A few errors among many calls are not load.
    if (this.errors < 3 || this.errors < 0.05 * this.samples.length) return false;
    this.isStarting = false;
    return this.moveTo(Math.min(this.exact, Math.max(inFlight, 1)) * 0.8);
  }

  private closeWindow(): boolean {
    const typicalMs = middleOf(this.samples);
    const { policy, resumeAt } = this;
    this.windows++;
    if (resumeAt !== undefined) {
      this.resumeAt = undefined;
      this.idleMs = typicalMs;
      return this.moveTo(resumeAt);
    }
    this.idleMs = Math.min(this.idleMs, typicalMs);
    if (!this.wasFull) return this.moveTo(this.exact);
    if (this.windows % REMEASURE_EVERY === 0) {
      const back = this.exact;
      const changed = this.moveTo(Math.max(policy.min, this.exact / 2));
      this.resumeAt = back;
      return changed;
    }
    const gradient = Math.max(0.5, Math.min(1, (policy.tolerance * this.idleMs) / typicalMs));
    if (gradient < 0.9) this.isStarting = false;
    // As in TCP's slow start: doubles until the upstream shows that it queues.
    const wanted = this.isStarting ? this.exact * 2 : this.exact * gradient + Math.sqrt(this.exact);
    return this.moveTo(this.isStarting ? wanted : this.exact + SMOOTHING * (wanted - this.exact));
  }

  /** Starts a new window under another limit; gives whether it is one. */
  private moveTo(limit: number): boolean {
    const before = this.limit;
    this.exact = Math.max(this.policy.min, Math.min(this.policy.max, limit));
    this.samples = [];
    this.errors = 0;
    this.wasFull = false;
    this.unsettled = this.limit === before ? 0 : before;
    return this.limit !== before;
  }
}

/** The mean of the middle half: neither a heavy tail nor one slow call moves it. */
function middleOf(samples: number[]): number {
  const sorted = samples.sort((a, b) => a - b);
  const from = sorted.length >> 2;
  const to = sorted.length - from;
  let sum = 0;
  for (let i = from; i < to; i++) sum += sorted[i] as number;
  return sum / (to - from);
}
