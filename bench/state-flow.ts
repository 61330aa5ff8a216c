/**
 * The offer graph with the aggregate of OfferWorkFlow in front: two rows per member are folded into one, with
 * checkpoints in a file. The state of the aggregate, and the members in flight behind it, are either kept in the
 * checkpoints or not.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aggregateTask, asyncTask, defineWorkflow, sinkTask, sourceTask, syncTask } from 'millrace';
import { checkpointFile } from 'millrace/storage';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  chooseOffer,
  combine,
  CONCURRENCY,
  members,
  predictAts,
  predictResp,
  Tally,
  transform,
  type Transactions,
} from './offer-graph.js';

/** An upstream that answers after one millisecond: about ten times as fast as one over HTTP on the same machine. */
const after1ms =
  <In, Out>(ask: (record: In) => Promise<Out>) =>
  async (record: In): Promise<Out> => {
    await sleep(1);
    return ask(record);
  };

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

/** The rows of all members, and then the rows of all members again, so that all groups are open at once. */
function* rows(count: number): Generator<Transactions, void, undefined> {
  yield* members(count);
  yield* members(count);
}

/** Folds two rows for each of `count` members and asks for an offer per member. */
export async function offerMembers(count: number, durable: boolean): Promise<number> {
  const tally = new Tally();
  const concurrency = CONCURRENCY;
  const workflow = defineWorkflow({
    name: 'OfferMembers',
    build: (flow) =>
      flow
        .task('Extract', sourceTask(rows(count)))
        .task(
          'Transform',
          ['Extract'],
          aggregateTask(
            {
              key: ({ memberId }: Transactions) => memberId,
              init: (memberId) => ({ memberId, points: 0, revenue: 0, count: 0 }),
              add: (sum, row) => {
                sum.points += row.points;
                sum.revenue += row.revenue;
                sum.count += row.count;
                return sum;
              },
              finish: (sum) => transform(sum),
            },
            { durable },
          ),
        )
        .task('ATS Predict', ['Transform'], asyncTask(after1ms(predictAts), { concurrency }))
        .task('RESP Predict', ['Transform'], asyncTask(after1ms(predictResp), { concurrency }))
        .task(
          'ATS-RESP Combiner',
          ['ATS Predict', 'RESP Predict'],
          syncTask(([ats, resp]) => combine(ats, resp)),
        )
        .task('Offer Recommendation', ['ATS-RESP Combiner'], asyncTask(after1ms(chooseOffer), { concurrency }))
        .task(
          'Load',
          ['Transform', 'ATS Predict', 'RESP Predict', 'Offer Recommendation'],
          sinkTask(([features, ats, resp, offer]) => {
            tally.add(features, ats, resp, offer);
          }),
        ),
  });
  await workflow.run(undefined, { checkpoints: checkpointFile(join(folder, 'checkpoint.json')) }).finished;
  return tally.checksum;
}
