/** Nexmark q5 as a workflow. */
import { runQuery } from '../nexmark-work.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => runQuery('q5', records);
