/** The short form of the simulation; the long one is `npm run simulate -- --seeds 100000`. */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import { simulate, type Simulated } from './simulate.js';

const SEEDS = isLong ? 1500 : 60;
/** What must have happened to some of them, or the simulation shows little. */
const FAULTS = [
  'busy',
  'cancel',
  'crash',
  'crash at the disk',
  'crash at the disk with power loss',
  'crash with power loss',
  'disk full, short write',
  'drain',
  'duplicate reply',
  'error',
  'hang',
  'late reply',
  'lost reply',
  'reply to a dead incarnation',
  'slow disk',
  'taken over while alive',
  'unsynced bytes lost',
  'zombie write refused',
];

describe('a run in a world where everything goes wrong', () => {
  it(`holds every law and gives what the reference interpreter says, for ${SEEDS} seeds`, async () => {
    const met = new Set<string>();
    const failures: Simulated[] = [];
    let incarnations = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await simulate(seed);
      if (result.failure !== undefined) failures.push(result);
      for (const fault of result.faults.keys()) met.add(fault);
      incarnations += result.incarnations;
    }
    expect(failures).toEqual([]);
    expect([...met].sort()).toEqual(FAULTS);
    expect(incarnations).toBeGreaterThan(SEEDS * 1.5);
  }, 600_000);

  it('happens again exactly, seed by seed', async () => {
    for (const seed of [3, 51, 289, 1683]) expect(await simulate(seed)).toEqual(await simulate(seed));
  });
});
