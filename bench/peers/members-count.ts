/** Our side of the aggregate: Extract and Transform in the thread of the run. The checksum is the number of members. */
import { countMembers } from '../member-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (rows) => countMembers(rows);
