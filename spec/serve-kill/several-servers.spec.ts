import { expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import { describeWithPostgres } from '../support/describe-with-postgres.js';
import { drawnEvents, severalServersTest } from './several-servers-test.js';

describeWithPostgres('three servers on one store', () => {
  it('double and forget no run while they are killed, stopped and continued, and lose their database', async () => {
    const events = isLong ? drawnEvents(30, 7) : (['long pause', 'kill', 'crash database', 'kill run'] as const);
    const { ticks, runs, withoutRun } = await severalServersTest(events, 7);
    expect(ticks).toBe(runs + withoutRun);
    expect(runs).toBeGreaterThan(0);
  }, 600_000);
});
