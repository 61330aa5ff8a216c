/** The features of members by the fold of OfferWorkFlow in one thread of this process. */
import type { SideRun } from '../side-run.js';
import { sumOfFeatures } from '../spark-work.js';

export const run: SideRun = (rows) => sumOfFeatures(rows, 'stream');
