/** Waits that a signal or a wake can end early. */
import { describe, expect, it } from '@jest/globals';
import { Waiter } from '#lib/model/awaitable.js';
import { sleep } from '#lib/model/clock.js';
import { virtualClock } from 'millrace/testing';

describe('sleep', () => {
  it('resolves with true after the time', async () => {
    const clock = virtualClock();
    const slept = sleep(clock, 100, new AbortController().signal).then((isTime) => [isTime, clock.monotonicMs()]);
    await clock.advance(500);
    expect(await slept).toEqual([true, 100]);
  });

  it('resolves with false when the signal aborts, and leaves no timer behind', async () => {
    const clock = virtualClock();
    const stop = new AbortController();
    const slept = sleep(clock, 100, stop.signal);
    stop.abort();
    expect(await slept).toBe(false);
    await expect(sleep(clock, 100, stop.signal)).resolves.toBe(false);
    expect(clock.pending).toBe(0);
  });
});

describe('a wait for a wake with a limit', () => {
  it('ends at the limit', async () => {
    const clock = virtualClock();
    const waited = new Waiter().waitAtMost(100, clock).then(() => clock.monotonicMs());
    await clock.advance(500);
    expect(await waited).toBe(100);
  });

  it('ends at a wake before, and leaves no timer behind', async () => {
    const clock = virtualClock();
    const waiter = new Waiter();
    const waited = waiter.waitAtMost(100, clock);
    waiter.wake();
    await waited;
    expect(clock.monotonicMs()).toBe(0);
    expect(clock.pending).toBe(0);
  });
});
