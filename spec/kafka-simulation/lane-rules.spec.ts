/** Tasks that run after others, over lanes on a fake broker whose owners die: each runs once, with the ends of one process. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { RULE_FILES, RulesFlow } from '../lanes/rules-flow.js';
import { isLong } from '../support/long.js';
import { simulateLanes } from './lane-simulation.js';

const SEEDS = Number(process.env['LANE_SEEDS'] ?? (isLong ? 200 : 6));
const ITEMS = 40;
/** Small, so that a lane dies in the middle of its records. */
const WINDOW = 4;

it(`tasks with rules run once, behind the lanes that they wait for, over ${SEEDS} seeds`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-rules-'));
  const rowsOf = async (name: string): Promise<Record<string, string[]>> => {
    const rows: Record<string, string[]> = {};
    for (const file of RULE_FILES) {
      rows[file] = (await readFile(join(folder, name, `${file}.csv`), 'utf8')).trim().split('\n').sort();
    }
    return rows;
  };
  try {
    await mkdir(join(folder, 'one'));
    await RulesFlow.run({ folder: join(folder, 'one'), items: ITEMS }).finished;
    const expected = await rowsOf('one');
    expect(expected).toMatchObject({ cleaned: expect.arrayContaining(['completed,completed,completed,skipped']) });
    let deaths = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const name = `seed-${seed}`;
      await mkdir(join(folder, name));
      const workflow = RulesFlow.prepare({ folder: join(folder, name), items: ITEMS, window: WINDOW });
      const own = await simulateLanes(workflow, seed);
      deaths += own.deaths;
      const rows = await rowsOf(name);
      // Records in flight when an owner died are counted again.
      if (own.deaths > 0) {
        expect(rows['published']).toHaveLength(2);
        const [loaded = 0, most = 0] = [expected, rows].map((one) =>
          Number(/(\d+)$/.exec(one['published']?.[0] ?? '')?.[1]),
        );
        expect(most).toBeGreaterThanOrEqual(loaded);
        expect(loaded).toBeGreaterThan(20);
        expect([seed, { ...rows, published: [] }]).toEqual([seed, { ...expected, published: [] }]);
      } else expect([seed, rows]).toEqual([seed, expected]);
    }
    expect(deaths).toBeGreaterThan(SEEDS);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
