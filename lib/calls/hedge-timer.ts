/** The state behind a `hedgePolicy`, for the calls of one task. */
import { Histogram } from '../measure/histogram.js';
import type { HedgeOptions, HedgePolicy } from './policies/hedge-policy.js';

/** Calls per histogram. Two histograms are kept, so older latencies are forgotten. */
const GENERATION = 5000;
const REFRESH_EVERY = 50;

/** Computes the delay of hedges from recent latencies, and keeps the hedges within their share of all calls. */
export class HedgeTimer {
  private readonly options: Readonly<Required<HedgeOptions>>;
  private previous = new Histogram();
  private present = new Histogram();
  private calls = 0;
  private hedges = 0;
  private cachedMs = Infinity;

  constructor(policy: HedgePolicy) {
    this.options = policy.options;
  }

  /** Call when a call has succeeded. */
  recordLatency(latencyMs: number): void {
    this.calls++;
    this.present.record(latencyMs);
    if (this.present.count >= GENERATION) {
      this.previous = this.present;
      this.present = new Histogram();
    }
    const { samples, minDelayMs, quantile } = this.options;
    if (this.calls >= samples && (this.calls % REFRESH_EVERY === 0 || this.cachedMs === Infinity)) {
      const both = new Histogram();
      both.merge(this.previous);
      both.merge(this.present);
      this.cachedMs = Math.max(minDelayMs, both.quantileMs(quantile));
    }
  }

  /** Milliseconds after which a call is hedged; Infinity until `samples` calls have succeeded. */
  get delayMs(): number {
    return this.cachedMs;
  }

  /** Whether the share allows one more hedge, which is then counted. */
  acquire(): boolean {
    if (this.hedges + 1 > this.options.share * this.calls) return false;
    this.hedges++;
    return true;
  }
}
