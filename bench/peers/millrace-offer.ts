/** Our side of the offer graph: the seven tasks of OfferWorkFlow with the upstreams in process, all options default. */
import { asyncTask, defineWorkflow, sinkTask, sourceTask, syncTask } from 'millrace';
import type { SideRun } from '../sides.js';
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
  await workflow.run().finished;
  return tally.checksum;
};
