/** A computing stage behind a topic, with one worker process. */
import { workWith } from '../kafka-crew.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => workWith(1, records);
