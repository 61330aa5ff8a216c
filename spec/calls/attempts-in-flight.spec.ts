import { describe, expect, it } from '@jest/globals';
import { virtualClock } from 'millrace/testing';
import { Attempt, Call } from '#lib/calls/call.js';
import { AttemptsInFlight } from '#lib/calls/attempts-in-flight.js';

describe('attempts in flight', () => {
  it('time out, and are slow, at the moment that was armed, also where rounding makes them a hair too young', async () => {
    const clock = virtualClock();
    // (0.7 + 0.1) - 0.7 is less than 0.1, and (0.7 + 0.6) - 0.7 less than 0.6.
    const [startedAtMs, hedgeAfterMs, timeoutMs] = [0.7, 0.1, 0.6];
    expect(startedAtMs + hedgeAfterMs - startedAtMs).toBeLessThan(hedgeAfterMs);
    expect(startedAtMs + timeoutMs - startedAtMs).toBeLessThan(timeoutMs);
    const seen: string[] = [];
    let looks = 0;
    const inFlight = new AttemptsInFlight<number>(timeoutMs, clock, {
      onTimeout: (attempt) => {
        inFlight.remove(attempt);
        seen.push('timeout');
      },
      onSlow: () => seen.push('slow'),
      hedgeAfterMs: () => {
        if (++looks > 10) throw new Error('It looks again and again, and nothing happens');
        return hedgeAfterMs;
      },
    });
    await clock.advance(startedAtMs);
    const permit = { left: 1, isProbe: false, isKnown: false };
    inFlight.add(new Attempt(new Call(7, 0), 1, false, permit, clock.monotonicMs()), clock.monotonicMs());
    await clock.advance(1);
    expect(seen).toEqual(['slow', 'timeout']);
    expect(clock.pending).toBe(0);
  });
});
