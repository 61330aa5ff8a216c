/** `npm run planted-bugs [-- --seeds 500]`: plants each bug, and prints which seed finds it; fails where none does. */
import { parseArgs } from 'node:util';
import { PLANTED_BUGS } from './bugs.js';
import { findBug } from './find-bug.js';

const { values } = parseArgs({ options: { seeds: { type: 'string' } } });
const seeds = Number(values.seeds ?? 500);
let missed = 0;
for (const bug of PLANTED_BUGS) {
  const found = await findBug(bug, seeds);
  if (found === undefined) missed++;
  console.log(
    found === undefined ? `NOT FOUND: ${bug.name}` : `seed ${found.seed}: ${bug.name} (${found.law.slice(0, 150)})`,
  );
}
console.log(`${PLANTED_BUGS.length - missed} of ${PLANTED_BUGS.length} planted bugs found within ${seeds} seeds`);
process.exitCode = missed > 0 ? 1 : 0;
