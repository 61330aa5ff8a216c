/** Cpu work in two threads. */
import type { SideRun } from '../side-run.js';
import { runCpuWorkflow } from './cpu-workflow.js';

export const run: SideRun = (records) => runCpuWorkflow(records, 2);
