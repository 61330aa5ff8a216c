/** An upstream with latency and no faults. */
import { askAll } from '../ask-workflow.js';
import { LATENCY, FAULTY_IN_FLIGHT } from '../faulty-upstream.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream({ addedLatency: LATENCY });
  return askAll(records, { url: `${url}/ml/ats/predict`, concurrency: FAULTY_IN_FLIGHT });
};
