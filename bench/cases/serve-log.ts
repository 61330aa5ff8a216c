/** The output of a run that has printed a million lines, against one that has printed a hundred. */
import type { BenchCase } from '../case.js';
import { assertBuilt } from '../command-line.js';
import { DashboardPage } from '../dashboard-page.js';
import { findingOf } from '../harness.js';
import { BenchServer } from '../served.js';

const code = `
import { defineWorkflow, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
const flow = (name, count) => defineWorkflow({ name, build: (flow) => flow.task('One', sourceTask([1])).task('Print', ['One'],
  syncTask(() => { for (let n = 0; n < count; n++) console.log('line ' + n + ' of a run that says what it does, as many do'); })) });
export const Long = flow('Long', 1e6);
export const Short = flow('Short', 100);
`;

export const serveLog: BenchCase = {
  name: 'serve-log',
  description: 'milliseconds until the output of a run is shown that printed 1,000,000 lines, against 100 (Chromium)',
  goal: { on: 'value', is: 'at most', than: 300, unit: 'ms' },
  isSlow: true,
  run: async ({ isQuick, progress }) => {
    assertBuilt();
    const server = await BenchServer.start({ code });
    const page = await DashboardPage.open(server);
    try {
      progress('prints');
      const ids = [await server.run('Long', 'completed'), await server.run('Short', 'completed')];
      const samples: [number[], number[]] = [[], []];
      await page.load('/', 'h1');
      for (let round = 0; round < (isQuick ? 2 : 10); round++) {
        progress(`sample ${round + 1}`);
        for (const [side, id] of ids.entries()) {
          await page.go(`/runs/${id}?tab=figures`, '[aria-label="Figures of the tasks"]');
          samples[side]?.push(await page.go(`/runs/${id}?tab=logs`, 'pre.log'));
        }
      }
      return findingOf(...samples, { unit: 'ms', against: '100 lines' });
    } finally {
      await page.close();
      await server.stop();
    }
  },
};
