/**
 * Randomness that can be replayed. The promise: a seed fixes the whole sequence, on every machine and Node version, and
 * two streams of one seed with different names do not follow each other, so that switching one fault on does not
 * change when another one fires.
 */

/** The next number of a sequence, 0 ≤ x < 1. */
export type Random = () => number;

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, fast, and good enough to place faults with. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A seed for the stream called `name`: FNV-1a over the name, started from the parent seed. */
export function seedFor(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  }
  // One avalanche step: FNV leaves neighbouring seeds with neighbouring hashes.
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** A standard normal deviate (Box and Muller, 1958). Draws exactly two numbers, so sequences stay aligned. */
export function gaussian(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return radius * Math.cos(2 * Math.PI * random());
}
