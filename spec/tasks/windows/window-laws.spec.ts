/**
 * The law of windows: their results are those of a batch over the same events, whatever the disorder up to the
 * lateness, the speed of the partitions, and the moments at which the run dies; and each result has one identity.
 */
import { describe, expect, it } from '@jest/globals';
import { seededRandom } from 'millrace';
import { counted, session, sliding, tumbling, type WindowKind } from 'millrace/windows';
import { isLong } from '../../support/long.js';
import { batchWindows, type TimedEvent } from './support/batch-windows.js';
import { runWindows, type Late } from './support/window-runs.js';

const KINDS: Readonly<Record<string, (random: () => number) => WindowKind>> = {
  tumbling: (random) => tumbling(1 + Math.floor(random() * 60), Math.floor(random() * 20)),
  sliding: (random) => {
    const everyMs = 1 + Math.floor(random() * 20);
    return sliding(everyMs + Math.floor(random() * 60), everyMs);
  },
  session: (random) => session(1 + Math.floor(random() * 15)),
};

/** Events whose disorder in each partition is at most `disorderMs`. */
function randomEvents(random: () => number, partitions: number, disorderMs: number): TimedEvent[][] {
  let id = 0;
  return Array.from({ length: partitions }, () => {
    let now = Math.floor(random() * 50);
    return Array.from({ length: Math.floor(random() * 40) }, () => {
      now += Math.floor(random() ** 3 * 30);
      const at = now - Math.floor(random() * (disorderMs + 1));
      return { id: id++, key: 'abc'.charAt(Math.floor(random() * 3)), at };
    });
  });
}

const asTexts = (windows: Iterable<unknown>): string[] => [...windows].map((window) => JSON.stringify(window)).sort();

const SEEDS = Number(process.env['WINDOW_SEEDS'] ?? (isLong ? 40 : 8));

describe.each(Object.keys(KINDS))('%s windows', (name) => {
  const kindOf = KINDS[name] as (random: () => number) => WindowKind;

  it('have the results of a batch, over several partitions and incarnations', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const kind = kindOf(random);
      const allowedLatenessMs = Math.floor(random() * 40);
      const events = randomEvents(random, 1 + Math.floor(random() * 3), allowedLatenessMs);
      const crashes = Math.floor(random() * 4);
      const ends = await runWindows({ seed, events, kind, options: { allowedLatenessMs }, crashes });
      expect([seed, [...ends.late.values()]]).toEqual([seed, []]);
      expect([seed, ends.contradictions]).toEqual([seed, []]);
      expect([seed, [...ends.results.values()].sort()]).toEqual([seed, asTexts(batchWindows(events.flat(), kind))]);
    }
  });

  it('lose no record that comes late', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const kind = kindOf(random);
      const events = randomEvents(random, 1, 60);
      // Without state, a resumed run computes the windows again, and gives them the same numbers.
      const options = { allowedLatenessMs: Math.floor(random() * 20), durable: random() < 0.5 };
      const ends = await runWindows({ seed, events, kind, options, crashes: Math.floor(random() * 3) });
      const late = [...ends.late.values()].map((text) => JSON.parse(text) as Late);
      const found = [...ends.results.values()].flatMap((text) => (JSON.parse(text) as { ids: number[] }).ids);
      const missed = late.flatMap((one) => one.missed.map(() => one.record.id));
      const expected =
        name === 'session'
          ? events.flat().map(({ id }) => id)
          : batchWindows(events.flat(), kind).flatMap(({ ids }) => ids);
      expect([seed, ends.contradictions]).toEqual([seed, []]);
      expect([seed, [...found, ...missed].sort((a, b) => a - b)]).toEqual([seed, expected.sort((a, b) => a - b)]);
    }
  });
});

describe('windows of records', () => {
  it('have so many records of a key, in the order of the source, over several incarnations', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = seededRandom(seed);
      const kind = counted(1 + Math.floor(random() * 7));
      const events = randomEvents(random, 1, 40);
      const ends = await runWindows({ seed, events, kind, options: {}, crashes: Math.floor(random() * 4) });
      expect([seed, ends.contradictions]).toEqual([seed, []]);
      expect([seed, [...ends.results.values()].sort()]).toEqual([seed, asTexts(batchWindows(events.flat(), kind))]);
    }
  });
});
