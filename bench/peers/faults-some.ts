/** The same upstream with 5 % errors, and a p99 of ten times the median. */
import { askAll } from '../ask-workflow.js';
import { ERRORS, LATENCY, FAULTY_IN_FLIGHT, TAIL } from '../faulty-upstream.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream({ addedLatency: LATENCY, errorRates: ERRORS, tail: TAIL });
  return askAll(records, { url: `${url}/ml/ats/predict`, concurrency: FAULTY_IN_FLIGHT });
};
