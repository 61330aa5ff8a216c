import { expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import { serveKillTest } from './serve-kill-test.js';

it('a server that is killed again and again under schedules doubles and forgets nothing', async () => {
  const { ticks, runs, withoutRun } = await serveKillTest(isLong ? 20 : 2, 7, 1500);
  expect(ticks).toBe(runs + withoutRun);
  expect(runs).toBeGreaterThan(0);
}, 600_000);
