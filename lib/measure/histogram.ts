/**
 * A mergeable histogram of durations with about 3 % relative error, after HdrHistogram (G. Tene): 32 linear buckets per
 * octave of microseconds.
 *
 * Guarantees: at most 8 KiB, and less while samples are alike; a few nanoseconds per sample; exact count and maximum.
 */
import type { LatencyFigures, LatencyProgress } from '../model/metrics.js';

const SUB_BITS = 5;
const SUB_BUCKETS = 1 << SUB_BITS;
const MAX_US = 2 ** 31 - 1;

/** The bounds of the fixed buckets in `progress`, in milliseconds. */
export const LATENCY_BOUNDS_MS = [
  0.001, 0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000,
] as const;

/** The figures of a histogram without samples: most tasks of a large graph have none at any moment. */
const NO_FIGURES: LatencyFigures = Object.freeze({ p50: 0, p95: 0, p99: 0, max: 0 });
const NO_PROGRESS: LatencyProgress = Object.freeze({
  ...NO_FIGURES,
  count: 0,
  sumMs: 0,
  buckets: Object.freeze(LATENCY_BOUNDS_MS.map(() => 0)),
});

/** Never changed: the first sample makes another one. */
const NO_COUNTS: number[] = [];

export class Histogram {
  /**
   * Samples per bucket, from the lowest to the highest bucket that has any: a task of a large graph has one sample or a
   * few. Not a typed array, because typed arrays are slow to create for many tasks.
   */
  private counts = NO_COUNTS;
  /** The bucket of the first entry. */
  private lowest = 0;
  private total = 0;
  private sum = 0;
  private max = 0;

  get count(): number {
    return this.total;
  }

  get meanMs(): number {
    return this.total === 0 ? 0 : this.sum / this.total;
  }

  get maxMs(): number {
    return this.max;
  }

  record(elapsedMs: number): void {
    const index = indexOf(Math.min(MAX_US, Math.max(0, Math.round(elapsedMs * 1000))));
    this.add(index, 1);
    this.total++;
    this.sum += elapsedMs;
    if (elapsedMs > this.max) this.max = elapsedMs;
  }

  merge(other: Histogram): void {
    for (let i = 0; i < other.counts.length; i++) this.add(other.lowest + i, other.counts[i] ?? 0);
    this.total += other.total;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
  }

  /** The figures of the `progress` event. A sample counts below a bound if its bucket contains the bound. */
  progress(): LatencyProgress {
    if (this.total === 0) return NO_PROGRESS;
    const buckets: number[] = [];
    let seen = 0;
    let index = 0;
    for (const bound of BOUNDS) {
      const last = bound - this.lowest;
      for (; index <= last && index < this.counts.length; index++) seen += this.counts[index] ?? 0;
      buckets.push(seen);
    }
    return { ...this.figures(), count: this.total, sumMs: toUs(this.sum), buckets };
  }

  /** The quantiles of the summary, computed in one pass. */
  figures(): LatencyFigures {
    if (this.total === 0) return NO_FIGURES;
    const [p50 = 0, p95 = 0, p99 = 0] = this.quantilesMs([0.5, 0.95, 0.99]);
    return { p50: toUs(p50), p95: toUs(p95), p99: toUs(p99), max: toUs(this.max) };
  }

  /** The duration in milliseconds that this share (0 to 1) of the samples does not exceed; 0 without samples. */
  quantileMs(share: number): number {
    return this.quantilesMs([share])[0] ?? 0;
  }

  private add(index: number, samples: number): void {
    const { counts, lowest } = this;
    if (counts.length === 0) {
      this.lowest = index;
      this.counts = [samples];
    } else if (index < lowest) {
      this.counts = [samples, ...new Array<number>(lowest - index - 1).fill(0), ...counts];
      this.lowest = index;
    } else {
      while (counts.length <= index - lowest) counts.push(0);
      counts[index - lowest] = (counts[index - lowest] ?? 0) + samples;
    }
  }

  /** The quantiles of several shares in ascending order, computed in one pass. */
  private quantilesMs(shares: readonly number[]): number[] {
    if (this.total === 0) return shares.map(() => 0);
    if (this.counts.length === 1) {
      const only = Math.min(this.max, upperBoundUs(this.lowest) / 1000);
      return shares.map(() => only);
    }
    const found: number[] = [];
    let seen = 0;
    for (let i = 0; i < this.counts.length && found.length < shares.length; i++) {
      seen += this.counts[i] ?? 0;
      while (found.length < shares.length && seen >= Math.max(1, Math.ceil((shares[found.length] ?? 1) * this.total))) {
        found.push(Math.min(this.max, upperBoundUs(this.lowest + i) / 1000));
      }
    }
    return found;
  }
}

/** Rounds to whole microseconds: more digits are noise. */
function toUs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The buckets that contain the bounds of `progress`. */
const BOUNDS = LATENCY_BOUNDS_MS.map((bound) => indexOf(bound * 1000));

function indexOf(us: number): number {
  if (us < SUB_BUCKETS) return us;
  const shift = 31 - Math.clz32(us) - SUB_BITS;
  return (shift + 1) * SUB_BUCKETS + ((us >> shift) - SUB_BUCKETS);
}

function upperBoundUs(index: number): number {
  if (index < SUB_BUCKETS) return index;
  const shift = Math.floor(index / SUB_BUCKETS) - 1;
  return ((index % SUB_BUCKETS) + SUB_BUCKETS + 1) * 2 ** shift - 1;
}
