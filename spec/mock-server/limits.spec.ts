/** The token bucket and the concurrency gate, stepped through without a clock. */
import { describe, expect, it } from '@jest/globals';
import { ConcurrencyGate, TokenBucket } from '#mock-server/limits.js';

describe('a token bucket', () => {
  it('admits the burst, then says how long until there is a token', () => {
    const bucket = new TokenBucket(10, 2, 0);
    expect([bucket.acquire(0), bucket.acquire(0), bucket.acquire(0)]).toEqual([0, 0, 100]);
  });

  it('fills with time, not above the burst, and a refusal costs nothing', () => {
    const bucket = new TokenBucket(10, 2, 0);
    bucket.acquire(0);
    bucket.acquire(0);
    expect([bucket.acquire(50), bucket.acquire(50), bucket.acquire(100)]).toEqual([50, 50, 0]);
    expect([bucket.acquire(60_000), bucket.acquire(60_000), bucket.acquire(60_000)]).toEqual([0, 0, 100]);
  });

  it('admits at most burst + rate · t over any time', () => {
    const bucket = new TokenBucket(100, 5, 0);
    let admitted = 0;
    for (let ms = 0; ms <= 1000; ms++) if (bucket.acquire(ms) === 0) admitted++;
    // Exact up to the rounding of the last token.
    expect(admitted).toBeLessThanOrEqual(105);
    expect(admitted).toBeGreaterThanOrEqual(104);
  });
});

describe('a concurrency gate', () => {
  const enter = (gate: ConcurrencyGate, times: number): void => {
    for (let time = 0; time < times; time++) gate.enter();
  };

  it('leaves latency alone up to its limit and grows it in proportion above', () => {
    const gate = new ConcurrencyGate({ limit: 4, serviceMs: 10, growth: 1 });
    enter(gate, 4);
    expect([gate.isFull, gate.isOver, gate.slowed(20)]).toEqual([true, false, 20]);
    enter(gate, 4);
    expect([gate.isOver, gate.slowed(20)]).toEqual([true, 40]);
    gate.leave();
    expect(gate.slowed(20)).toBe(35);
  });

  it('takes its own service time where the server has no latency', () => {
    const gate = new ConcurrencyGate({ limit: 1, serviceMs: 10, growth: 2 });
    gate.enter();
    expect(gate.slowed(0)).toBe(10);
    enter(gate, 2);
    expect(gate.slowed(0)).toBe(90);
  });
});
