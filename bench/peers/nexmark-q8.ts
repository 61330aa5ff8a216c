/** Nexmark q8 as a workflow. */
import { runQuery } from '../nexmark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => runQuery('q8', records);
