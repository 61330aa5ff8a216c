import { describe, expect, it } from '@jest/globals';
import { virtualClock } from 'millrace/testing';
import { FirstMeasurements } from '#lib/runtime/watch/first-measurements.js';

async function timesUntil(endMs: number, costMs: number): Promise<number[]> {
  const clock = virtualClock();
  const times: number[] = [];
  let spentMs = 0;
  const slowed = { ...clock, schedule: clock.schedule.bind(clock), monotonicMs: () => clock.now() + spentMs };
  const measurements = new FirstMeasurements(slowed, () => {
    times.push(slowed.monotonicMs());
    spentMs += costMs;
    if (slowed.monotonicMs() >= endMs) measurements.stop();
  });
  measurements.start();
  await clock.advance(endMs);
  measurements.stop();
  return times;
}

describe('the measurements at the beginning of a run', () => {
  it('are at least ten in 50 ms, and ten in each longer run', async () => {
    for (const endMs of [50, 70, 200, 1000, 5000]) {
      expect((await timesUntil(endMs, 0)).length).toBeGreaterThanOrEqual(10);
    }
  });

  it('end when those of every second are as frequent', async () => {
    const times = await timesUntil(60_000, 0);
    expect(times.length).toBeLessThan(90);
    expect(Math.max(...times)).toBeLessThan(13_000);
  });

  it('are rare if one takes long, and stop at once', async () => {
    const times = await timesUntil(1000, 100);
    expect(times.length).toBeLessThan(6);
  });
});
