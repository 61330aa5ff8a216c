/** A computing stage behind a topic, with two worker processes. */
import { workWith } from '../kafka-crew.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => workWith(2, records);
