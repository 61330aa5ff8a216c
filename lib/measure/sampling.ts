/** Which records are timed: all at first, so that short runs have figures, then one in 32, so that long ones do not pay. */

const ALL_UNTIL = 1024;
const ONE_IN = 32;

/** For how many records the one with this number (from 0) stands; 0: it is not timed. */
export function sampleWeight(number: number): number {
  if (number < ALL_UNTIL) return 1;
  return number % ONE_IN === 0 ? ONE_IN : 0;
}
