/** The offer graph with checkpoints, whose aggregate is computed again by a resumed run. */
import type { SideRun } from '../side-run.js';
import { offerMembers } from '../state-flow.js';

export const run: SideRun = (records) => offerMembers(records, false);
