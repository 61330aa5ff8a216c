/**
 * Sums that do not depend on the order of their terms: exactly rounded, after J. R. Shewchuk, "Adaptive Precision
 * Floating-Point Arithmetic" (1997), as in Python's `math.fsum`.
 *
 * Guarantees: the sums of parts of a file can be added later, and the result is the same to the last bit as in one pass
 * over the whole file.
 */

/** A sum as non-overlapping partial sums of growing magnitude. */
export type Partials = number[];

/** Adds one term, exactly, in place. */
export function addExactly(partials: Partials, term: number): void {
  const added = addExactlyWithin(partials, 0, partials.length, term);
  if (added !== partials) partials.splice(0, partials.length, ...added);
}

/**
 * Adds one term, in place, to the partial sums between the indexes `from` and `to` of an array that also holds other
 * numbers. Returns the array, or one of a different length if the number of partial sums has changed.
 */
export function addExactlyWithin(numbers: number[], from: number, to: number, term: number): number[] {
  let x = term;
  let kept = from;
  for (let at = from; at < to; at++) {
    let y = numbers[at] as number;
    if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
    const high = x + y;
    const low = y - (high - x);
    if (low !== 0) numbers[kept++] = low;
    x = high;
  }
  if (kept < to) numbers[kept] = x;
  if (kept + 1 === to) return numbers;
  return numbers.slice(0, kept).concat(x, numbers.slice(to));
}

/** The sum, rounded once. */
export function roundSum(partials: Partials): number {
  let at = partials.length - 1;
  if (at < 0) return 0;
  let high = partials[at] as number;
  let low = 0;
  while (at > 0) {
    const x = high;
    const y = partials[--at] as number;
    high = x + y;
    low = y - (high - x);
    if (low !== 0) break;
  }
  // The partial sums below decide half-way cases: without this, 1e16 + 1 + 1e-16 would round down.
  const below = at > 0 ? (partials[at - 1] as number) : 0;
  if ((low < 0 && below < 0) || (low > 0 && below > 0)) {
    const doubled = low * 2;
    const up = high + doubled;
    if (doubled === up - high) return up;
  }
  return high;
}
