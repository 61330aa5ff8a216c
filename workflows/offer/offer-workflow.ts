/**
 * OfferWorkFlow chooses an offer for every member. It reads transactions, computes the features of each member, calls
 * two models and the offer service, and writes one row per member.
 */
import { z } from 'zod';
import { csvSink } from 'millrace/csv';
import { deadLetterFile } from 'millrace/storage';
import { defineWorkflow, syncTask } from 'millrace';
import { requestTask } from 'millrace/http';
import { writePerformanceSummary } from 'millrace/observe';
import { OfferConfig } from './config.js';
import { featureTasks } from './engines.js';
import type { MemberFeatures } from './features.js';
import { upstreamOf } from './upstream.js';

/** The answer of a model. Null stands for a prediction that failed, with `on_failed_prediction: 'empty'`. */
const Prediction: z.ZodType<{ prediction: number | null }> = z.object({ prediction: z.number() });
/** The offer service names the offers; any text is one. */
const Offer: z.ZodType<{ offer: string | null }> = z.object({ offer: z.string().min(1) });
/** The offer service is called only with both predictions. */
const BothPredictions: z.ZodType<{ ats_prediction: number | null; resp_prediction: number | null }> = z.object({
  ats_prediction: z.number(),
  resp_prediction: z.number(),
});

const RESULT_COLUMNS = [
  'memberId',
  'LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT',
  'LAST_3_TRANSACTIONS_AVG_REVENUE_USD',
  'DAYS_SINCE_LAST_TRANSACTION',
  'AVG_POINTS_BOUGHT',
  'AVG_REVENUE_USD',
  'PCT_GIFT_TRANSACTIONS',
  'PCT_REDEEM_TRANSACTIONS',
  'PCT_BUY_TRANSACTIONS',
  'ATS',
  'RESP',
  'OFFER',
] as const;

export const OfferWorkFlow = defineWorkflow({
  name: 'OfferWorkFlow',
  description: 'Reads member transactions, asks two models about each member, and assigns an offer',
  // Each run writes the same files.
  serving: { maxRuns: 1 },
  params: ['as_of', 'engine', 'transport', 'concurrency', 'window', 'on_failed_prediction', 'timeout_ms'],
  config: OfferConfig,
  defaultConfig: new URL('../../../workflows/offer/config.json', import.meta.url),
  window: (config) => config.window,
  deadLetters: (config) =>
    deadLetterFile(config.dead_letter_path ?? `${config.result_output_path}.dead-letters.ndjson`),
  onEnd: (summary, config) =>
    writePerformanceSummary(
      config.performance_output_path,
      {
        ...summary,
        workflow: config.name,
        description: config.description === '' ? summary.description : config.description,
      },
      { legacyStatus: config.legacy_summary },
    ),
  build: (flow, config, context) => {
    const upstream = upstreamOf(config, context);
    const calls = {
      ...(config.concurrency === undefined ? {} : { concurrency: config.concurrency }),
      timeoutMs: config.timeout_ms,
    };
    const writesEmpty = config.on_failed_prediction === 'empty';
    const unpredicted = writesEmpty ? { onFailure: { fallback: { prediction: null } } } : {};
    const unoffered = writesEmpty ? { input: BothPredictions, onFailure: { fallback: { offer: null } } } : {};
    const asOf = config.as_of === undefined ? context.startedAt : Date.parse(config.as_of);
    const { extract, transform } = featureTasks(config, asOf);
    return flow
      .task('Extract', extract)
      .task('Transform', ['Extract'], transform)
      .task(
        'ATS Predict',
        ['Transform'],
        requestTask({ ...calls, ...upstream.ats, ...unpredicted, body: modelInput, response: Prediction }),
      )
      .task(
        'RESP Predict',
        ['Transform'],
        requestTask({ ...calls, ...upstream.resp, ...unpredicted, body: modelInput, response: Prediction }),
      )
      .task(
        'ATS-RESP Combiner',
        ['ATS Predict', 'RESP Predict'],
        syncTask(([ats, resp]) => ({ ats_prediction: ats.prediction, resp_prediction: resp.prediction })),
      )
      .task(
        'Offer Recommendation',
        ['ATS-RESP Combiner'],
        requestTask({ ...calls, ...upstream.offer, ...unoffered, response: Offer }),
      )
      .task(
        'Load',
        ['Transform', 'ATS Predict', 'RESP Predict', 'Offer Recommendation'],
        csvSink({
          path: config.result_output_path,
          columns: RESULT_COLUMNS,
          row: ([features, ats, resp, { offer }]) => ({
            ...features,
            ATS: ats.prediction,
            RESP: resp.prediction,
            OFFER: offer,
          }),
        }),
      );
  },
});

/** The eight features without the id of the member, which the models do not need. */
function modelInput({ memberId: _, ...features }: MemberFeatures): Omit<MemberFeatures, 'memberId'> {
  return features;
}
