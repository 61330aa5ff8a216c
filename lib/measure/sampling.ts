/**
 * Chooses the records that are timed: all of the first 1,024, so that short runs have figures; then one in 32, to save
 * time.
 */

const ALL_UNTIL = 1024;
const ONE_IN = 32;

/** The number of records that the record with this number (from 0) represents; 0 if it is not timed. */
export function sampleWeight(number: number): number {
  if (number < ALL_UNTIL) return 1;
  return number % ONE_IN === 0 ? ONE_IN : 0;
}
