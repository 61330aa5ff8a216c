import { describe, expect, it } from '@jest/globals';
import { jitterOf } from '#lib/server/schedules/jitter.js';

describe('the jitter of a tick', () => {
  it('is the same each time, and none where the schedule has none', () => {
    expect(jitterOf('Flow/a', 60_000, '5m')).toBe(jitterOf('Flow/a', 60_000, '5m'));
    expect(jitterOf('Flow/a', 60_000, undefined)).toBe(0);
  });

  it('is spread over ticks, and over schedules with the same ticks', () => {
    const over = (count: number, one: (n: number) => number): number[] =>
      Array.from({ length: count }, (_, n) => one(n));
    for (const list of [
      over(1000, (n) => jitterOf('Flow/a', n * 60_000, '5m')),
      over(1000, (n) => jitterOf(`Flow/${n}`, 60_000, '5m')),
    ]) {
      expect(Math.min(...list)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...list)).toBeLessThan(300_000);
      for (let tenth = 0; tenth < 10; tenth++) {
        const within = list.filter((ms) => Math.floor(ms / 30_000) === tenth).length;
        expect(within).toBeGreaterThan(60);
        expect(within).toBeLessThan(140);
      }
    }
  });
});
