/** OfferWorkFlow with `--set transport=http`. */
import { runOffer } from '../offer-run.js';
import type { SideRun } from '../sides.js';

export const run: SideRun = (members) => runOffer(members, 'http');
