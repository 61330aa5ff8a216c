/** Chunks are worth a few milliseconds, whatever a record costs. */
import { expect, it } from '@jest/globals';
import { ChunkSizer } from '#lib/execution/chunk-sizer.js';

function settle(costMs: number, max = 1024): number {
  const sizer = new ChunkSizer(max);
  for (let round = 0; round < 20; round++) sizer.measured(costMs * sizer.size, sizer.size);
  return sizer.size;
}

it.each([
  [0, 1024],
  [0.0001, 1024],
  [0.02, 200],
  [1, 4],
  [50, 1],
])('records of %d ms travel in chunks of %i', (costMs, size) => {
  expect(settle(costMs)).toBe(size);
});

it('never exceeds its maximum', () => {
  expect(settle(0, 7)).toBe(7);
  expect(new ChunkSizer(1).size).toBe(1);
});

it('grows step by step, and shrinks at once', () => {
  const sizer = new ChunkSizer(1024);
  sizer.measured(0.001, sizer.size);
  expect(sizer.size).toBe(16);
  for (let round = 0; round < 9; round++) sizer.measured(0.001, sizer.size);
  expect(sizer.size).toBe(1024);
  sizer.measured(2000, sizer.size);
  expect(sizer.size).toBeLessThan(16);
});
