/** Latency and the randomness below it: the same seed must give the same latencies, on every run. */
import { describe, expect, it } from '@jest/globals';
import { latencySampler, parseLatency } from '#mock-server/latency.js';
import type { LatencySpec } from '#mock-server/latency.js';
import { seededRandom, seedFor } from '#mock-server/random.js';
import { predict, withServer } from './support/clients.js';

function draw(spec: LatencySpec, seed: number, count: number): number[] {
  const sampler = latencySampler(parseLatency(spec), seededRandom(seed));
  if (sampler === undefined) throw new Error('no sampler');
  return Array.from({ length: count }, sampler);
}

describe('latency', () => {
  it.each(['normal:20:5', 'lognormal:20:0.5'])('%s repeats for the same seed and differs for another', (spec) => {
    expect(draw(spec, 7, 100)).toEqual(draw(spec, 7, 100));
    expect(draw(spec, 7, 100)).not.toEqual(draw(spec, 8, 100));
  });

  it('draws the same first numbers on every machine', () => {
    const random = seededRandom(1);
    expect([random(), random(), random()]).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
  });

  it('has the mean and the deviation of a normal distribution, cut off at 0', () => {
    const values = draw('normal:20:5', 1, 20_000);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(20, 0);
    expect(Math.sqrt(variance)).toBeCloseTo(5, 0);
    expect(Math.min(...draw('normal:1:5', 1, 1000))).toBe(0);
  });

  it('has the median and the spread of a lognormal distribution', () => {
    const values = draw('lognormal:20:0.5', 1, 20_001).sort((one, other) => one - other);
    expect(values[10_000]).toBeCloseTo(20, 0);
    // One deviation up: 20 · e^0.5 = 32.97, at the 84.13th percentile.
    expect(Math.abs((values[16_827] ?? 0) - 32.97)).toBeLessThan(1);
  });

  it('needs no sampler for 0', () => {
    expect(latencySampler(parseLatency(0), seededRandom(1))).toBeUndefined();
  });

  it.each(['', 'x', '-1', '1:2', 'normal:5', 'normal::5', 'normal:5:1:2', 'uniform:1:2', 'Infinity'])(
    'refuses %p and says what it expected',
    (spec) => {
      expect(() => parseLatency(spec)).toThrow('Expected a latency such as 5, normal:20:5 or lognormal:20:0.5');
    },
  );

  it('gives streams of one seed that do not follow each other', () => {
    const one = seededRandom(seedFor(1, 'reset'));
    const other = seededRandom(seedFor(1, 'tail'));
    const pairs = Array.from({ length: 2000 }, () => [one(), other()] as const);
    const covariance = pairs.reduce((sum, [a, b]) => sum + (a - 0.5) * (b - 0.5), 0) / pairs.length;
    // The variance of one stream is 1/12; independent ones stay near 0.
    expect(Math.abs(covariance)).toBeLessThan(0.01);
    expect(seedFor(1, 'reset')).not.toBe(seedFor(2, 'reset'));
  });

  it('is waited for by a request', async () => {
    await withServer({ latency: 40 }, async (server) => {
      const before = performance.now();
      expect((await predict(server)).json).toEqual({ prediction: 42.5 });
      // Node's timers may fire up to a millisecond early.
      expect(performance.now() - before).toBeGreaterThanOrEqual(39);
    });
  });
});
