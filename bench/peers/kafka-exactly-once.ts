/** From a topic to a topic, exactly once: a transaction each 100 ms. */
import { pipe } from '../kafka-pipe.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = (records) => pipe(records, 'exactly-once');
