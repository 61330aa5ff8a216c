/** Every case, in the order they are run and listed. */
import type { BenchCase } from './case.js';
import { cliFirstRecord } from './cases/cli-first-record.js';
import { offerScaleRate } from './cases/offer-scale-rate.js';
import { offerScaleRss } from './cases/offer-scale-rss.js';
import { offerVsEffect100k } from './cases/offer-vs-effect-100k.js';
import { offerVsLimit } from './cases/offer-vs-limit.js';
import { offerVsRxjs100k } from './cases/offer-vs-rxjs-100k.js';
import { offerVsRxjs400k } from './cases/offer-vs-rxjs-400k.js';
import { syncChainVsRxjs } from './cases/sync-chain-vs-rxjs.js';

export const CASES: readonly BenchCase[] = [
  offerVsRxjs100k,
  offerVsRxjs400k,
  offerVsEffect100k,
  offerVsLimit,
  offerScaleRate,
  offerScaleRss,
  syncChainVsRxjs,
  cliFirstRecord,
];
