/** Replays of dead letters over a fake broker whose owners die: each record arrives once, as in a run without faults. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { FAULTS, failingAt, ReplayFlow } from '../lanes/replay-flow.js';
import { KIND_FILES, ReplayKindsFlow } from '../lanes/replay-kinds-flow.js';
import { isLong } from '../support/long.js';
import { simulateLanes } from './lane-simulation.js';

// A seed replays two runs four times, so it takes as long as five of the other simulations.
const SEEDS = Number(process.env['LANE_SEEDS'] ?? (isLong ? 60 : 1));
const ITEMS = 60;
/** Small, so that a lane dies in the middle of its records. */
const WINDOW = 4;

it(`replayed records arrive once in each output, also behind two cuts, over ${SEEDS} seeds`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-replays-'));
  try {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const own = await mkdtemp(join(folder, 'seed-'));
      const numbersIn = async (file: string): Promise<number[]> => {
        const [, ...rows] = (await readFile(join(own, file), 'utf8')).trim().split('\n');
        return rows.map((row) => Number(row.split(',')[1])).sort((a, b) => a - b);
      };
      const repair = (task: keyof typeof FAULTS) => (): Promise<void> => writeFile(join(own, task), '');
      const workflow = ReplayFlow.prepare({ folder: own, items: ITEMS, window: WINDOW });
      const { replays, letters } = await simulateLanes(workflow, seed, [
        repair('Parse'),
        repair('Work'),
        async () => {
          expect(await numbersIn('rows.csv')).not.toContain(9);
          await repair('Late')();
          await repair('Check')();
        },
        () => Promise.resolve(),
      ]);
      const all = [...new Array<undefined>(ITEMS).keys()];
      expect([seed, await numbersIn('out.csv')]).toEqual([seed, all]);
      expect([seed, await numbersIn('rows.csv')]).toEqual([seed, all]);
      expect([seed, await numbersIn('parsed.csv')]).toEqual([seed, all]);
      expect(await readFile(join(own, 'total.csv'), 'utf8')).toBe(`total\n${(ITEMS * (ITEMS - 1)) / 2}\n`);
      const stay = failingAt('Check', ITEMS);
      // A process that died after it had begun a replay does not know that.
      const expected = [9, 6, 3, 0].map((replayed, index) =>
        replays[index]?.isUnderWay === true
          ? { replayed: 0, stay: stay.length, isUnderWay: true }
          : { replayed, stay: stay.length, isUnderWay: false },
      );
      expect([seed, replays]).toEqual([seed, expected]);
      expect(letters.map(({ record }) => (record as { n: number }).n).sort((a, b) => a - b)).toEqual(stay);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);

it(`outputs of boundaries of each kind are replayed once, over ${SEEDS} seeds`, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-lane-replays-'));
  const rowsIn = async (own: string): Promise<Record<string, string[]>> =>
    Object.fromEntries(
      await Promise.all(
        KIND_FILES.map(async (file) => [
          file,
          (await readFile(join(own, `${file}.csv`), 'utf8')).trim().split('\n').sort(),
        ]),
      ),
    ) as Record<string, string[]>;
  try {
    const one = await mkdtemp(join(folder, 'one-'));
    await writeFile(join(one, 'repaired'), '');
    await ReplayKindsFlow.run({ folder: one }).finished;
    const expected = await rowsIn(one);
    for (const file of KIND_FILES) expect(expected[file]?.length).toBeGreaterThan(1);
    for (let seed = 1; seed <= SEEDS; seed++) {
      const own = await mkdtemp(join(folder, 'seed-'));
      const workflow = ReplayKindsFlow.prepare({ folder: own, window: WINDOW });
      const { letters } = await simulateLanes(workflow, seed, [
        async () => {
          expect(await rowsIn(own)).not.toEqual(expected);
          await writeFile(join(own, 'repaired'), '');
        },
      ]);
      expect([seed, letters]).toEqual([seed, []]);
      expect([seed, await rowsIn(own)]).toEqual([seed, expected]);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 600_000);
