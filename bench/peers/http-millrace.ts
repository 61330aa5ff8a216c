/** Requests over HTTP, all options default. */
import { askAll } from '../ask-workflow.js';
import { HTTP_IN_FLIGHT } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream();
  return askAll(records, { url: `${url}/ml/ats/predict`, concurrency: HTTP_IN_FLIGHT });
};
