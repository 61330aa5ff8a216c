/**
 * Whether the simulation would find a bug; `npm run planted-bugs` reports which seed finds which. The short form plants
 * every sixth bug.
 */
import { describe, expect, it } from '@jest/globals';
import { simulate } from '../simulation/simulate.js';
import { isLong } from '../support/long.js';
import { PLANTED_BUGS } from './bugs.js';
import { findBug } from './find-bug.js';
import { JOIN_BUGS } from './join-bugs.js';
import { PIECE_BUGS } from './piece-bugs.js';
import { RULE_BUGS } from './rule-bugs.js';
import { STATE_BUGS } from './state-bugs.js';
import { WINDOW_BUGS } from './window-bugs.js';

/** A bug may need hundreds of seeds, and a machine may be slow. */
const TIMEOUT_MS = 180_000;

describe('the simulation', () => {
  it.each(
    [...PLANTED_BUGS, ...STATE_BUGS, ...JOIN_BUGS, ...PIECE_BUGS, ...RULE_BUGS, ...WINDOW_BUGS].filter(
      (_, index) => isLong || index % 6 === 0,
    ),
  )(
    'finds, within 500 seeds, that $name',
    async (bug) => {
      expect(await findBug(bug, 500, bug.from)).toBeDefined();
    },
    TIMEOUT_MS,
  );

  it('is clean again after the bugs were taken out', async () => {
    expect((await simulate(3)).failure).toBeUndefined();
  });
});
