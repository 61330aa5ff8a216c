/** A graph of 3,000 tasks of a run at work, all of which change once per second: the frames per second. */
import type { BenchCase } from '../case.js';
import { measureGraphs } from '../graph-pages.js';
import { findingOf } from '../harness.js';

export const serveFrames: BenchCase = {
  name: 'serve-frames',
  description: 'frames per second of a graph with 3,000 changes per second, against 3 changes (Chromium)',
  goal: { on: 'value', is: 'at least', than: 50, unit: 'frames/s' },
  isSlow: true,
  run: async (settings) => {
    const samples = await measureGraphs(settings, async (page, id) => {
      await page.go(`/runs/${id}`, '.graph text.name');
      return page.framesPerSecond(settings.isQuick ? 1000 : 4000);
    });
    return findingOf(...samples, { unit: 'frames/s', against: '3 changes' });
  },
};
