/**
 * CSV → two models → CSV: both models receive each member's features at the same time, and the offer combines their
 * answers.
 *
 * `node build/examples/offers.js members.csv offers.csv`
 */
import { csvSink, csvSource } from 'millrace/csv';
import { defineWorkflow, syncTask } from 'millrace';
import { requestTask } from 'millrace/http';
import { startMockServer } from 'millrace/mock-server';
import { z } from 'zod';

const [, , input = '', output = 'offers.csv'] = process.argv;
if (input === '') {
  console.error('Name the CSV file with the members: node build/examples/offers.js members.csv offers.csv');
  process.exit(2);
}

const Member = z.object({
  memberId: z.string().min(1),
  AVG_POINTS_BOUGHT: z.coerce.number(),
  AVG_REVENUE_USD: z.coerce.number(),
  LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: z.coerce.number(),
  LAST_3_TRANSACTIONS_AVG_REVENUE_USD: z.coerce.number(),
  PCT_BUY_TRANSACTIONS: z.coerce.number(),
  PCT_GIFT_TRANSACTIONS: z.coerce.number(),
  PCT_REDEEM_TRANSACTIONS: z.coerce.number(),
  DAYS_SINCE_LAST_TRANSACTION: z.coerce.number(),
});
type Member = z.output<typeof Member>;
const Prediction = z.object({ prediction: z.number() });

/** A model gets features, without the id of the member. */
const features = ({ memberId: _, ...rest }: Member): Omit<Member, 'memberId'> => rest;

const Offers = defineWorkflow({
  name: 'Offers',
  config: z.object({ upstream: z.url() }),
  build: (flow, { upstream }) =>
    flow
      .task('Members', csvSource({ path: input, schema: Member }))
      // Both tasks depend on Members, so both models are called at the same time; the file is read once.
      .task(
        'ATS',
        ['Members'],
        requestTask({ url: `${upstream}/ml/ats/predict`, body: features, response: Prediction }),
      )
      .task(
        'RESP',
        ['Members'],
        requestTask({ url: `${upstream}/ml/resp/predict`, body: features, response: Prediction }),
      )
      // An aligned join: the three values always belong to one member, whichever answer comes first.
      .task(
        'Offer',
        ['Members', 'ATS', 'RESP'],
        syncTask(([{ memberId }, ats, resp]) => ({
          memberId,
          expected: (ats.prediction * resp.prediction).toFixed(2),
        })),
      )
      .task('Load', ['Offer'], csvSink({ path: output, columns: ['memberId', 'expected'] })),
});

const upstream = await startMockServer();
try {
  const summary = await Offers.run({ upstream: upstream.url }).finished;
  console.log(`${summary.outcome}: ${summary.tasks['Load']?.out ?? 0} offers, ${summary.deadLettered} dead letters`);
} finally {
  await upstream.stop();
}
