/** The first view of the dashboard, with 100,000 runs in the store, against a server with one hundred. */
import type { BenchCase } from '../case.js';
import { assertBuilt } from '../command-line.js';
import { DashboardPage } from '../dashboard-page.js';
import { findingOf } from '../harness.js';
import { BenchServer } from '../served.js';

export const servePaint: BenchCase = {
  name: 'serve-paint',
  description: 'milliseconds until the first view of the dashboard with 100,000 runs, against 100 runs (Chromium)',
  goal: { on: 'value', is: 'at most', than: 500, unit: 'ms' },
  isSlow: true,
  run: async ({ isQuick, progress }) => {
    assertBuilt();
    progress('fills the stores');
    const servers = [
      await BenchServer.start({ runs: isQuick ? 2000 : 100_000 }),
      await BenchServer.start({ runs: 100 }),
    ] as const;
    const pages: DashboardPage[] = [];
    try {
      for (const server of servers) pages.push(await DashboardPage.open(server));
      const samples: [number[], number[]] = [[], []];
      for (let round = 0; round < (isQuick ? 2 : 10); round++) {
        progress(`sample ${round + 1}`);
        for (const [side, page] of pages.entries()) samples[side]?.push(await page.load('/', 'h1 ~ section ul.counts'));
      }
      return findingOf(...samples, { unit: 'ms', against: '100 runs' });
    } finally {
      for (const page of pages) await page.close();
      for (const server of servers) await server.stop();
    }
  },
};
