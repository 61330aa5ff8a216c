/** The features of members by the fold of OfferWorkFlow in executors of Spark (TRANSFORM). */
import type { SideRun } from '../side-run.js';
import { sumOfFeatures } from '../spark-work.js';

export const run: SideRun = (rows) => sumOfFeatures(rows, 'spark');
