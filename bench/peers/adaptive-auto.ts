/** Concurrency chosen by the task. */
import { askAll } from '../ask-workflow.js';
import { LIMITED } from '../limited-upstream.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream(LIMITED);
  return askAll(records, { url: `${url}/ml/ats/predict`, concurrency: 'auto' });
};
