/**
 * `npm run planted-bugs [-- --seeds 500] [--only TEXT]`: plants each bug whose name contains the text, and prints which
 * seed finds it; fails where none does.
 */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from './bugs.js';
import { findBug } from './find-bug.js';
import { JOIN_BUGS } from './join-bugs.js';
import { PIECE_BUGS } from './piece-bugs.js';
import { RULE_BUGS } from './rule-bugs.js';
import { STATE_BUGS } from './state-bugs.js';
import { WINDOW_BUGS } from './window-bugs.js';

const { values } = parseArgs({ options: { seeds: { type: 'string' }, only: { type: 'string' } } });
const seeds = Number(values.seeds ?? 500);
const bugs = [...PLANTED_BUGS, ...STATE_BUGS, ...JOIN_BUGS, ...PIECE_BUGS, ...RULE_BUGS, ...WINDOW_BUGS].filter(
  ({ name }) => name.includes(values.only ?? ''),
);
let missed = 0;
for (const bug of bugs) {
  const found = await findBug(bug, seeds);
  if (found === undefined) missed++;
  console.log(
    found === undefined ? `NOT FOUND: ${bug.name}` : `seed ${found.seed}: ${bug.name} (${found.law.slice(0, 150)})`,
  );
}
console.log(`${bugs.length - missed} of ${bugs.length} planted bugs found within ${seeds} seeds`);
process.exitCode = missed > 0 ? 1 : 0;
