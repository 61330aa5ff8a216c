/** Lanes with windows of time over a fake broker have the rows of one process, late records included. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { FILES, WindowFlow } from '../lanes/window-flow.js';
import { isLong } from '../support/long.js';
import { simulateLanes } from './lane-simulation.js';

const SEEDS = Number(process.env['LANE_SEEDS'] ?? (isLong ? 200 : 6));
const BIDS = 90;
/** Small, so that a lane dies in the middle of its records. */
const WINDOW = 6;

it(`windows behind topics have the rows of one process, over ${SEEDS} seeds`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-windows-'));
  const rowsOf = async (name: string): Promise<Record<string, string[]>> => {
    const rows: Record<string, string[]> = {};
    for (const file of FILES) rows[file] = (await readFile(join(folder, name, file), 'utf8')).trim().split('\n').sort();
    return rows;
  };
  try {
    await mkdir(join(folder, 'one'));
    await WindowFlow.run({ folder: join(folder, 'one'), bids: BIDS }).finished;
    const expected = await rowsOf('one');
    expect(expected['late.csv']?.length).toBeGreaterThan(2);
    let deaths = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const name = `seed-${seed}`;
      await mkdir(join(folder, name));
      const workflow = WindowFlow.prepare({ folder: join(folder, name), bids: BIDS, window: WINDOW });
      deaths += (await simulateLanes(workflow, seed)).deaths;
      expect([seed, await rowsOf(name)]).toEqual([seed, expected]);
    }
    expect(deaths).toBeGreaterThan(SEEDS);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
