import { LATENCY_BOUNDS_MS } from '../../measure/histogram.js';

/**
 * The duration in milliseconds that this share (0 to 1) of the samples does not exceed, from how many did not exceed each
 * of `LATENCY_BOUNDS_MS`: interpolated within its bucket, as Prometheus does. `count` are all samples, at least 1.
 */
export function bucketQuantile(buckets: readonly number[], count: number, share: number): number {
  const rank = share * count;
  const at = buckets.findIndex((seen) => seen >= rank);
  // Above the last bound nothing more is known.
  if (at < 0) return LATENCY_BOUNDS_MS.at(-1) as number;
  const [lower, upper] = [LATENCY_BOUNDS_MS[at - 1] ?? 0, LATENCY_BOUNDS_MS[at] as number];
  const [below, seen] = [buckets[at - 1] ?? 0, buckets[at] as number];
  return seen === below ? upper : lower + ((upper - lower) * (rank - below)) / (seen - below);
}
