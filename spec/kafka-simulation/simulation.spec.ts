/** Owners of a lane die and come back over a fake broker; each planted bug is found. */
import { expect, it } from '@jest/globals';
import { isLong } from '../support/long.js';
import { PLANTED_BUGS } from './planted-bugs.js';
import { simulate } from './simulation.js';

const SEEDS = Number(process.env['LANE_SEEDS'] ?? (isLong ? 1000 : 60));
/** Each planted bug must be found within these. */
const MOST_SEEDS = 500;

it(`a lane writes each record once, over ${SEEDS} seeds`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) expect([seed, await simulate(seed)]).toEqual([seed, undefined]);
});

// The short form takes some of them; the long form takes all.
it.each(PLANTED_BUGS.filter((_, index) => isLong || index % 3 === 0))('the simulation finds %s', async (bug) => {
  for (let seed = 1; seed <= MOST_SEEDS; seed++) if ((await simulate(seed, bug)) !== undefined) return;
  throw new Error(`${bug} was not found within ${MOST_SEEDS} seeds`);
});
