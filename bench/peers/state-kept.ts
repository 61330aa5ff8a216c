/** The offer graph with checkpoints that contain the state of its aggregate. */
import type { SideRun } from '../side-run.js';
import { offerMembers } from '../state-flow.js';

export const run: SideRun = (records) => offerMembers(records, true);
