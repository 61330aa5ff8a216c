/** Two threads read and fold half of the member file each. */
import { readMembers } from '../member-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (rows) => readMembers(rows, 2);
