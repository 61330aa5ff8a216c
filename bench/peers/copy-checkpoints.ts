/** A file copied through a task, with checkpoints at the default interval. */
import { copyFile } from '../file-copy.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => copyFile(records, true);
