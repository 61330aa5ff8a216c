/** From a topic to a topic, at least once. */
import { pipe } from '../kafka-pipe.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => pipe(records, 'at-least-once');
