/** OfferWorkFlow with `--set transport=ws`. */
import { runOffer } from '../offer-run.js';
import type { SideRun } from '../sides.js';

export const run: SideRun = (members) => runOffer(members, 'ws');
