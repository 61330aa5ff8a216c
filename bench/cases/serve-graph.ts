/** A graph of 3,000 tasks of a run at work: the time until it is there. */
import type { BenchCase } from '../case.js';
import { measureGraphs } from '../graph-pages.js';
import { findingOf } from '../harness.js';

export const serveGraph: BenchCase = {
  name: 'serve-graph',
  description: 'milliseconds until the graph of a run of 3,000 tasks is shown, against 3 tasks (Chromium)',
  goal: { on: 'value', is: 'at most', than: 1000, unit: 'ms' },
  isSlow: true,
  run: async (settings) => {
    const samples = await measureGraphs(settings, async (page, id) => {
      await page.go('/', 'h1 ~ section ul.counts');
      return page.go(`/runs/${id}`, '.graph text.name');
    });
    return findingOf(...samples, { unit: 'ms', against: '3 tasks' });
  },
};
