/** Nexmark q5 as a plain loop. */
import { loopQ5 } from '../nexmark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => Promise.resolve(loopQ5(records));
