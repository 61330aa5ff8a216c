import { describe, expect, it } from '@jest/globals';
import { virtualClock } from 'millrace/testing';

describe('a virtual clock', () => {
  it('fires no timer before its time, however far from 1970 it starts', async () => {
    const clock = virtualClock(1_700_000_000_000);
    await clock.advance(497.9);
    const madeAtMs = clock.monotonicMs();
    let firedAtMs = 0;
    clock.schedule(1e-9, () => {
      firedAtMs = clock.monotonicMs();
    });
    await clock.advance(1);
    expect(firedAtMs).toBeGreaterThan(madeAtMs);
    expect(clock.now()).toBeCloseTo(1_700_000_000_498.9, 2);
  });
});
