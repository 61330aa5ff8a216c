/** Our side of the offer graph: the seven tasks of OfferWorkFlow with the upstreams in process, all options default. */
import { asyncTask, defineWorkflow, sinkTask, sourceTask, syncTask, type RunEvent } from 'millrace';
import type { Observable } from 'rxjs';
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

/** An observer of the run from its first turn; the benchmark waits for its result. */
export type Watcher = (events$: Observable<RunEvent>) => Promise<unknown>;

export const run: SideRun = (records) => runWatched(records, () => Promise.resolve());

export async function runWatched(records: number, watch: Watcher): Promise<number> {
  const tally = new Tally();
  const concurrency = CONCURRENCY;
  const workflow = defineWorkflow({
    name: 'OfferInProcess',
    build: (flow) =>
      flow
        .task('Extract', sourceTask(members(records)))
        .task('Transform', ['Extract'], syncTask(transform))
        .task('ATS Predict', ['Transform'], asyncTask(predictAts, { concurrency }))
        .task('RESP Predict', ['Transform'], asyncTask(predictResp, { concurrency }))
        .task(
          'ATS-RESP Combiner',
          ['ATS Predict', 'RESP Predict'],
          syncTask(([ats, resp]) => combine(ats, resp)),
        )
        .task('Offer Recommendation', ['ATS-RESP Combiner'], asyncTask(chooseOffer, { concurrency }))
        .task(
          'Load',
          ['Transform', 'ATS Predict', 'RESP Predict', 'Offer Recommendation'],
          sinkTask(([features, ats, resp, offer]) => {
            tally.add(features, ats, resp, offer);
          }),
        ),
  });
  const run = workflow.run();
  const watched = watch(run.events$);
  await run.finished;
  await watched;
  return tally.checksum;
}
