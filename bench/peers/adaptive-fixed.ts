/** The best of several fixed numbers, found during the warm-up. */
import { askAll } from '../ask-workflow.js';
import { FIXED, LIMITED } from '../limited-upstream.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

let best: number | undefined;

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream(LIMITED);
  const ask = (concurrency: number): Promise<number> => askAll(records, { url: `${url}/ml/ats/predict`, concurrency });
  if (best === undefined) {
    let bestMs = Infinity;
    for (const concurrency of FIXED) {
      const startedAtMs = performance.now();
      await ask(concurrency);
      const elapsedMs = performance.now() - startedAtMs;
      if (elapsedMs >= bestMs) continue;
      bestMs = elapsedMs;
      best = concurrency;
    }
  }
  return ask(best ?? 1);
};
