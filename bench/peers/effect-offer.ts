/**
 * The offer graph in Effect streams: one `mapEffect` bounds the members in flight, `Effect.all` asks both models at once.
 * In the order of the input, because here that is the faster of the two (`unordered: true` gave 0.85 × the rate); a
 * `mapEffect` per task gave half.
 */
import { Effect, Stream } from 'effect';
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
  await Effect.runPromise(
    Stream.fromIterable(members(records)).pipe(
      Stream.map(transform),
      Stream.mapEffect(
        (member) =>
          Effect.all([Effect.promise(() => predictAts(member)), Effect.promise(() => predictResp(member))], {
            concurrency: 'unbounded',
          }).pipe(
            Effect.flatMap(([ats, resp]) =>
              Effect.promise(() => chooseOffer(combine(ats, resp))).pipe(
                Effect.map((offer) => [member, ats, resp, offer] as const),
              ),
            ),
          ),
        { concurrency: CONCURRENCY },
      ),
      Stream.runForEach(([member, ats, resp, offer]) =>
        Effect.sync(() => {
          tally.add(member, ats, resp, offer);
        }),
      ),
    ),
  );
  return tally.checksum;
};
