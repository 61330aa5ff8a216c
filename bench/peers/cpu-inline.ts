/** The same cpu work inline. */
import type { SideRun } from '../side-run.js';
import { runCpuWorkflow } from './cpu-workflow.js';

export const run: SideRun = (records) => runCpuWorkflow(records, 0);
