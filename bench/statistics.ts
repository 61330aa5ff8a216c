/**
 * The arithmetic of the benchmark: medians, spreads and the ratio of two sides.
 *
 * Guarantees: all functions are pure; they throw if there are no samples; a ratio is always the measured side over its
 * peer, for every unit.
 */

/** The smallest and the largest sample. */
export type Spread = readonly [min: number, max: number];

/** The middle sample, or the mean of the two middle ones. Leaves `samples` as it is. */
export function median(samples: readonly number[]): number {
  const sorted = [...requireSome(samples)].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

export function spreadOf(samples: readonly number[]): Spread {
  requireSome(samples);
  return [Math.min(...samples), Math.max(...samples)];
}

/** Ours over theirs: above 1 means faster where the unit is a rate, larger where it is bytes or seconds. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours) / median(theirs);
}

/** The median of the ratios of the rounds: a machine that slows down for a round slows down both sides. */
export function pairedRatioOf(ours: readonly number[], theirs: readonly number[]): number {
  return median(ours.slice(0, theirs.length).map((sample, round) => sample / (theirs[round] as number)));
}

/**
 * The spread of the ratio: each of our samples over the sample of the peer in the same round, so that a machine that
 * slows down for both does not count as noise. In rounds without a sample of the peer, its last sample is used.
 */
export function ratioSpread(ours: readonly number[], theirs: readonly number[]): Spread {
  requireSome(theirs);
  return spreadOf(ours.map((sample, round) => sample / (theirs[Math.min(round, theirs.length - 1)] as number)));
}

function requireSome(samples: readonly number[]): readonly number[] {
  if (samples.length === 0) throw new RangeError('Expected at least one sample, got none');
  return samples;
}
