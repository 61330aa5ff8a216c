/** A file copied through a task, without checkpoints. */
import { copyFile } from '../file-copy.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => copyFile(records, false);
