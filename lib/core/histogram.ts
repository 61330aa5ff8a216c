/**
 * A mergeable histogram of durations with about 3 % relative error, after HdrHistogram (G. Tene): 32 linear buckets an
 * octave of microseconds. Promise: fixed memory (about 8 KiB), a few nanoseconds a sample, and exact count and maximum.
 */

const SUB_BITS = 5;
const SUB_BUCKETS = 1 << SUB_BITS;
const MAX_US = 2 ** 31 - 1;

export class Histogram {
  private readonly counts = new Float64Array((32 - SUB_BITS) * SUB_BUCKETS);
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
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.total++;
    this.sum += elapsedMs;
    if (elapsedMs > this.max) this.max = elapsedMs;
  }

  merge(other: Histogram): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] = (this.counts[i] ?? 0) + (other.counts[i] ?? 0);
    this.total += other.total;
    this.sum += other.sum;
    this.max = Math.max(this.max, other.max);
  }

  /** The duration in milliseconds that this share (0 to 1) of the samples does not exceed; 0 without samples. */
  quantileMs(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.total));
    let seen = 0;
    for (let i = 0; i < this.counts.length; i++) {
      seen += this.counts[i] ?? 0;
      if (this.total > 0 && seen >= wanted) return Math.min(this.max, upperBoundUs(i) / 1000);
    }
    return 0;
  }
}

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
