/** The member file, read and folded in the thread of the run. */
import { readMembers } from '../member-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (rows) => readMembers(rows, 1);
