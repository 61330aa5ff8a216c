/** Nexmark q8 as a plain loop. */
import { loopQ8 } from '../nexmark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => Promise.resolve(loopQ8(records));
