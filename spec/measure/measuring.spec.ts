import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ArrivalTimes } from '#lib/stream/arrival-times.js';
import { Histogram, LATENCY_BOUNDS_MS } from '#lib/measure/histogram.js';
import { sampleWeight } from '#lib/measure/sampling.js';
import { SlowRecords } from '#lib/measure/slow-records.js';
import { TaskMeter } from '#lib/measure/task-meter.js';

const held = (queued: number, running: number, waiting = 0, places?: number) => ({
  queued,
  running,
  waiting,
  ...(places === undefined ? {} : { places }),
});

describe('a meter', () => {
  it('credits each stretch to the state it was in', () => {
    const meter = new TaskMeter();
    meter.hold(10, held(0, 2, 0, 4));
    meter.hold(20, held(3, 4, 0, 4));
    meter.hold(25, held(3, 0, 0, 4));
    meter.hold(40, held(0, 0));
    expect(meter.look(100)).toEqual({ busyMs: 15, blockedMs: 15, slotMs: 5 + 5, loopMs: 0, poolMs: 0 });
  });

  it('counts a stretch of work once, as work, and goes on as before', () => {
    const meter = new TaskMeter();
    meter.hold(0, held(5, 0));
    meter.worked(10, 14);
    expect(meter.look(20)).toEqual({ busyMs: 4, blockedMs: 16, slotMs: 0, loopMs: 4, poolMs: 0 });
  });

  it('never credits more time than has passed, in whatever order states are reported', () => {
    const step = fc.record({ at: fc.nat(1000), queued: fc.nat(2), running: fc.nat(2), workMs: fc.nat(50) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const meter = new TaskMeter();
        meter.hold(0, held(0, 0));
        let lastMs = 0;
        for (const { at, queued, running, workMs } of steps) {
          if (workMs > 0) meter.worked(at, at + workMs);
          meter.hold(at + workMs, held(queued, running, 0, 2));
          lastMs = Math.max(lastMs, at + workMs);
        }
        const { busyMs, blockedMs, slotMs } = meter.look(lastMs);
        expect(busyMs + blockedMs).toBeLessThanOrEqual(lastMs);
        expect(slotMs).toBeLessThanOrEqual(lastMs);
      }),
    );
  });
});

describe('arrival times', () => {
  it('say for each record of a queue when its batch came', () => {
    const batches = fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(batches, (sizes) => {
        const arrivals = new ArrivalTimes(50);
        const expected = sizes.flatMap((size, at) => Array.from({ length: size }, () => at));
        sizes.forEach((size, at) => {
          arrivals.arrive(size, at);
        });
        expect(expected.map((_, number) => arrivals.of(number))).toEqual(expected);
      }),
    );
  });

  it('hold no more batches than they were asked to, however few are asked for', () => {
    const arrivals = new ArrivalTimes(4);
    for (let at = 0; at < 1000; at++) arrivals.arrive(1, at);
    expect(arrivals.of(999)).toBe(999);
  });
});

describe('the slowest records', () => {
  const record = (lineage: number, ms: number) => ({ task: 'T', root: 'S', lineage, ms, at: 0 });

  it('are the five slowest, slowest first, and each is news once', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100)), (durations) => {
        const slow = new SlowRecords();
        const reported: number[] = [];
        durations.forEach((ms, lineage) => {
          if (ms > slow.floorMs) slow.add(record(lineage, ms));
          if (lineage % 7 === 0) reported.push(...slow.news().map((one) => one.lineage));
        });
        reported.push(...slow.news().map((one) => one.lineage));
        const slowest = durations.filter((ms) => ms > 0).sort((a, b) => b - a);
        expect(slow.all.map(({ ms }) => ms)).toEqual(slowest.slice(0, 5));
        expect(new Set(reported).size).toBe(reported.length);
        expect(reported).toEqual(expect.arrayContaining(slow.all.map(({ lineage }) => lineage)));
      }),
    );
  });
});

describe('reported latencies', () => {
  it('agrees with the samples: counts, sum, maximum, and buckets that ascend', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 100_000, noNaN: true })), (samples) => {
        const histogram = new Histogram();
        for (const ms of samples) histogram.record(ms);
        const { count, sumMs, buckets, max, p50, p99 } = histogram.progress();
        expect(count).toBe(samples.length);
        expect(sumMs).toBeCloseTo(
          samples.reduce((sum, ms) => sum + ms, 0),
          0,
        );
        expect(max).toBeCloseTo(Math.max(0, ...samples), 2);
        expect(p50).toBeLessThanOrEqual(p99);
        LATENCY_BOUNDS_MS.forEach((bound, index) => {
          // About 3 % error: what is clearly below a bound is in, what is clearly above is not.
          const counted = buckets[index] ?? -1;
          expect(counted).toBeGreaterThanOrEqual(samples.filter((ms) => ms < bound * 0.95 - 0.001).length);
          expect(counted).toBeLessThanOrEqual(samples.filter((ms) => ms <= bound * 1.05 + 0.001).length);
        });
      }),
    );
  });

  it('comes from all records at first, then from one in 32 that stands for the others', () => {
    const weights = Array.from({ length: 1024 + 3200 }, (_, number) => sampleWeight(number));
    expect(weights.slice(0, 1024).every((weight) => weight === 1)).toBe(true);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBe(1024 + 3200);
    expect(weights.slice(1024).filter((weight) => weight > 0).length).toBe(100);
  });
});
