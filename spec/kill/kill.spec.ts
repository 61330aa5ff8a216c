/** Short forms of the kill test; one of any length is `npm run kill-test -- --kills 1000`. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLong } from '../support/long.js';
import { killTest } from './kill-test.js';
import { filesVictim, killFlowVictim, offerVictim, startMockServer, stateFlowVictim } from './victims.js';

const KILLS = isLong ? 6 : 1;

let folder = '';
let server: Awaited<ReturnType<typeof startMockServer>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-victims-'));
  server = await startMockServer();
});
afterAll(() => {
  server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a run that is killed and resumed until it is done', () => {
  it('writes what an undisturbed run writes, behind an aggregate and three upstreams', async () => {
    const figures = await killTest(offerVictim(folder, server.url, 1500), KILLS, Date.now() % 100_000);
    expect(figures.kills).toBe(KILLS);
  }, 120_000);

  it('writes what an undisturbed run writes, with several sinks, one of them packed and one in the middle', async () => {
    const figures = await killTest(killFlowVictim(folder, 10_000), KILLS, Date.now() % 100_000);
    expect(figures.kills).toBe(KILLS);
  }, 120_000);

  it('writes what an undisturbed run writes, with durable state in front of each sink, and dead letters that are replayed', async () => {
    const figures = await killTest(stateFlowVictim(folder, 600), KILLS, Date.now() % 100_000);
    expect(figures.kills).toBe(KILLS);
  }, 120_000);

  it('writes what an undisturbed run writes, from several files in their order', async () => {
    const figures = await killTest(filesVictim(folder, 10_000), KILLS, Date.now() % 100_000);
    expect(figures.kills).toBe(KILLS);
  }, 120_000);
});
