/**
 * The offer graph in RxJS as most people write it, without attention to queues: one `mergeMap` bounds the members in
 * flight, `forkJoin` calls both models at once. `mergeMap` reads the whole source and queues the members that it may
 * not start yet, in an array that it shifts; this makes it slow on long inputs.
 */
import { forkJoin, from, lastValueFrom, map, mergeMap, tap } from 'rxjs';
import type { SideRun } from '../side-run.js';
import {
  chooseOffer,
  combine,
  CONCURRENCY,
  members,
  predictAts,
  predictResp,
  Tally,
  transform,
} from '../offer-graph.js';

export const run: SideRun = async (records) => {
  const tally = new Tally();
  await lastValueFrom(
    from(members(records)).pipe(
      map(transform),
      mergeMap(
        (member) =>
          forkJoin([predictAts(member), predictResp(member)]).pipe(
            mergeMap(([ats, resp]) =>
              from(chooseOffer(combine(ats, resp))).pipe(map((offer) => [member, ats, resp, offer] as const)),
            ),
          ),
        CONCURRENCY,
      ),
      tap(([member, ats, resp, offer]) => {
        tally.add(member, ats, resp, offer);
      }),
    ),
  );
  return tally.checksum;
};
