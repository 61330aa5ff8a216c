/** Expansions behind topics, in lanes on a fake broker whose owners die: the rows are those of one process. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { ExpandFlow, FILES } from '../lanes/expand-flow.js';
import { isLong } from '../support/long.js';
import { simulateLanes } from './lane-simulation.js';

const SEEDS = Number(process.env['LANE_SEEDS'] ?? (isLong ? 200 : 5));
const ITEMS = 40;
/** Small, so that a lane dies in the middle of its records. */
const WINDOW = 6;

it(`expansions behind topics have the rows of one process, over ${SEEDS} seeds`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-expansions-'));
  const rowsOf = async (name: string): Promise<Record<string, string[]>> => {
    const rows: Record<string, string[]> = {};
    for (const file of FILES) {
      rows[file] = (await readFile(join(folder, name, `${file}.csv`), 'utf8')).trim().split('\n').sort();
    }
    return rows;
  };
  try {
    await mkdir(join(folder, 'one'));
    await ExpandFlow.run({ folder: join(folder, 'one'), items: ITEMS }).finished;
    const expected = await rowsOf('one');
    for (const file of FILES) expect([file, expected[file]?.length]).toEqual([file, expect.any(Number)]);
    let deaths = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const name = `seed-${seed}`;
      await mkdir(join(folder, name));
      const workflow = ExpandFlow.prepare({ folder: join(folder, name), items: ITEMS, window: WINDOW });
      deaths += (await simulateLanes(workflow, seed)).deaths;
      expect([seed, await rowsOf(name)]).toEqual([seed, expected]);
    }
    expect(deaths).toBeGreaterThan(SEEDS / 2);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
