/**
 * The work of threads in benchmarks: `echo` does almost nothing, so it measures the bridge; `scramble` takes about 25
 * µs.
 */
import { threadFunction } from 'millrace/thread';

export interface Sample {
  readonly id: number;
  readonly value: number;
  readonly name: string;
}

export const echo = threadFunction(import.meta.url, 'echo', ({ id, value, name }: Sample): Sample => {
  return { id, value: value + 1, name };
});

/** A fixed number of steps, not a fixed time: cores that share the time would otherwise seem to work faster. */
const STEPS = 20_000;

export const scramble = threadFunction(import.meta.url, 'scramble', (seed: number): number => {
  let x = seed | 1;
  for (let step = 0; step < STEPS; step++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return x & 0xffff;
});

export function* samples(count: number): Generator<Sample, void, undefined> {
  for (let id = 0; id < count; id++) yield { id, value: id % 1000, name: `sample ${id % 100}` };
}
