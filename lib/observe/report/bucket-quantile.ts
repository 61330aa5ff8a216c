import { LATENCY_BOUNDS_MS } from '../../measure/histogram.js';

/**
 * Estimates a quantile from a histogram: the duration in milliseconds that the given share (0 to 1) of the samples does
 * not exceed. It interpolates within a bucket, as Prometheus does.
 *
 * @param buckets per bound of `LATENCY_BOUNDS_MS`, the number of samples at or below it.
 * @param count the number of all samples, at least 1.
 */
export function bucketQuantile(buckets: readonly number[], count: number, share: number): number {
  const rank = share * count;
  const at = buckets.findIndex((seen) => seen >= rank);
  // The histogram has no information above its last bound.
  if (at < 0) return LATENCY_BOUNDS_MS.at(-1) as number;
  const [lower, upper] = [LATENCY_BOUNDS_MS[at - 1] ?? 0, LATENCY_BOUNDS_MS[at] as number];
  const [below, seen] = [buckets[at - 1] ?? 0, buckets[at] as number];
  return seen === below ? upper : lower + ((upper - lower) * (rank - below)) / (seen - below);
}
