/**
 * Adaptive concurrency: finds the number of calls in flight that an upstream handles best, from the gradient of its
 * latency and from its errors.
 *
 * The algorithm follows Netflix's concurrency-limits (Gradient2) and TCP Vegas. A window of calls has a typical
 * latency. The ratio of the idle latency to the typical latency shows how much of the limit waits in a queue of the
 * upstream. The new limit is the old one times that ratio, plus √limit for headroom. Overload errors shrink the limit
 * at once. The idle latency is measured again from time to time with a smaller limit, because upstreams change.
 *
 * Guarantees: the limit stays between `min` and `max`. It grows only while calls reach it. There is no timer: the same
 * calls give the same limits.
 */
import { checkCount, checkNumber, count, number, resolveOptions, type OptionRules } from '../../options/options.js';

/** Options of `adaptiveConcurrency`, in calls in flight. */
export interface AdaptiveConcurrencyOptions {
  /** The smallest limit, at least 1. Default 1. */
  readonly min?: number;
  /** The largest limit, at least `min`. Default 512. */
  readonly max?: number;
  /** The limit before anything is measured. Default 16, within the bounds. */
  readonly initial?: number;
  /** The ratio to the idle latency, at least 1, above which calls count as queued. Default 1.1. */
  readonly tolerance?: number;
}

const RULES: OptionRules<AdaptiveConcurrencyOptions> = {
  min: count(),
  max: count(),
  initial: count(),
  tolerance: number(1),
};
const TABLE = { name: 'adaptive concurrency', rules: RULES, defaults: { min: 1, max: 512, tolerance: 1.1 } };

/** A concurrency limit that follows latency and errors. The policy has no state: each task has a limit of its own. */
export class AdaptiveConcurrency {
  /** The same kind as a fixed number: the last one in a set applies. */
  readonly kind = 'concurrency';
  /** The resolved options. */
  readonly options: Readonly<Required<AdaptiveConcurrencyOptions>>;

  constructor(options: AdaptiveConcurrencyOptions = {}) {
    const resolved = resolveOptions(TABLE, options);
    const { min, max } = resolved;
    checkCount('max', max, min);
    const { initial = Math.min(max, Math.max(min, 16)) } = resolved;
    checkNumber('initial', initial, min, max);
    this.options = { ...resolved, initial };
  }

  /** The largest limit of calls in flight. */
  get max(): number {
    return this.options.max;
  }

  /** A limit at `initial`, for the calls of one task in one run. */
  start(): ConcurrencyLimit {
    return new GradientLimit(this);
  }

  /** The bounds, as the summary of a run shows them. */
  toString(): string {
    return `concurrency chosen between ${this.options.min} and ${this.options.max}`;
  }
}

/**
 * The policy behind `concurrency: 'auto'`, with bounds of your own. Throws MILLRACE_INVALID_OPTION if an option is
 * unknown or out of range.
 *
 * @example adaptiveConcurrency({ max: 256 })
 */
export function adaptiveConcurrency(options?: AdaptiveConcurrencyOptions): AdaptiveConcurrency {
  return new AdaptiveConcurrency(options);
}

/** A constant limit of calls in flight. */
export class FixedConcurrency {
  /** If a set has several limits, the last one applies. */
  readonly kind = 'concurrency';
  /** Calls in flight. */
  readonly max: number;

  /** Throws MILLRACE_INVALID_OPTION if `max` is not a whole number of at least 1. */
  constructor(max: number) {
    checkCount('concurrency', max);
    this.max = max;
  }

  /** The limit of one task. */
  start(): ConcurrencyLimit {
    return { limit: this.max, recordSuccess: () => false, recordOverload: () => false };
  }

  /** The limit, as the summary of a run shows it. */
  toString(): string {
    return `${this.max} calls in flight`;
  }
}

export interface ConcurrencyLimit {
  readonly limit: number;
  /** Call with the calls in flight when a call ended. Returns whether the limit changed. */
  recordSuccess(latencyMs: number, inFlight: number): boolean;
  /** Call on a failure that a lower load may prevent. Returns whether the limit changed. */
  recordOverload(inFlight: number): boolean;
}

const MIN_WINDOW = 20;
const MAX_WINDOW = 400;
/** The weight of a new limit against the present one. */
const SMOOTHING = 0.5;
/** Windows between two measurements of the idle latency. */
const REMEASURE_EVERY = 40;

class GradientLimit implements ConcurrencyLimit {
  private readonly options: AdaptiveConcurrency['options'];
  private exact: number;
  private idleMs = Infinity;
  private samples: number[] = [];
  private errors = 0;
  private wasFull = false;
  private windows = 0;
  /** The limit to restore after a measurement of the idle latency. */
  private resumeAt: number | undefined;
  /** Calls to ignore, because they started under the previous limit. */
  private unsettled = 0;
  private isStarting = true;

  constructor({ options }: AdaptiveConcurrency) {
    this.options = options;
    this.exact = options.initial;
  }

  get limit(): number {
    return Math.max(this.options.min, Math.min(this.options.max, Math.floor(this.exact)));
  }

  recordSuccess(latencyMs: number, inFlight: number): boolean {
    if (this.unsettled > 0) {
      this.unsettled--;
      return false;
    }
    this.samples.push(latencyMs);
    if (inFlight >= this.limit) this.wasFull = true;
    if (this.samples.length < Math.min(MAX_WINDOW, Math.max(MIN_WINDOW, this.limit))) return false;
    return this.closeWindow();
  }

  recordOverload(inFlight: number): boolean {
    if (this.unsettled > 0) {
      this.unsettled--;
      return false;
    }
    this.errors++;
    // A few errors among many calls are not an overload.
    if (this.errors < 3 || this.errors < 0.05 * this.samples.length) return false;
    this.isStarting = false;
    return this.moveTo(Math.min(this.exact, Math.max(inFlight, 1)) * 0.8);
  }

  private closeWindow(): boolean {
    const typicalMs = middleOf(this.samples);
    const { options, resumeAt } = this;
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
      const changed = this.moveTo(Math.max(options.min, this.exact / 2));
      this.resumeAt = back;
      return changed;
    }
    const gradient = Math.max(0.5, Math.min(1, (options.tolerance * this.idleMs) / typicalMs));
    if (gradient < 0.9) this.isStarting = false;
    // Like TCP slow start: doubles until the upstream starts to queue.
    const wanted = this.isStarting ? this.exact * 2 : this.exact * gradient + Math.sqrt(this.exact);
    return this.moveTo(this.isStarting ? wanted : this.exact + SMOOTHING * (wanted - this.exact));
  }

  /** Starts a new window with this limit. Returns whether the limit changed. */
  private moveTo(limit: number): boolean {
    const before = this.limit;
    this.exact = Math.max(this.options.min, Math.min(this.options.max, limit));
    this.samples = [];
    this.errors = 0;
    this.wasFull = false;
    this.unsettled = this.limit === before ? 0 : before;
    return this.limit !== before;
  }
}

/** The mean of the middle half, which neither a heavy tail nor one slow call changes. */
function middleOf(samples: number[]): number {
  const sorted = samples.sort((a, b) => a - b);
  const from = sorted.length >> 2;
  const to = sorted.length - from;
  let sum = 0;
  for (let i = from; i < to; i++) sum += sorted[i] as number;
  return sum / (to - from);
}
