/** The processor and the memory of a server with 500 schedules and nothing to do, against one without schedules. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchCase } from '../case.js';
import { assertBuilt } from '../command-line.js';
import { findingOf } from '../harness.js';
import { BenchServer } from '../served.js';

const SETTLE_MS = 10_000;
const SAMPLE_MS = 10_000;
const MEGABYTE = 2 ** 20;

export const serveIdle: BenchCase = {
  name: 'serve-idle',
  description: 'percent of one core of an idle server with 500 schedules, against one without (Linux)',
  goal: { on: 'value', is: 'at most', than: 1, unit: '%' },
  isSlow: true,
  run: async ({ isQuick, progress }) => {
    assertBuilt();
    const full = await BenchServer.start({ schedules: isQuick ? 20 : 500 });
    const empty = await BenchServer.start({});
    try {
      progress('waits until both are idle');
      await sleep(isQuick ? 1000 : SETTLE_MS);
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < (isQuick ? 2 : 5); round++) {
        progress(`sample ${round + 1}`);
        const forMs = isQuick ? 1000 : SAMPLE_MS;
        const [one, other] = await Promise.all([full.shareOfCore(forMs), empty.shareOfCore(forMs)]);
        ours.push(one * 100);
        theirs.push(other * 100);
      }
      const note = `memory: ${Math.round(full.memory() / MEGABYTE)} MB, and ${Math.round(empty.memory() / MEGABYTE)} MB without schedules`;
      return { ...findingOf(ours, theirs, { unit: '%', against: 'no schedules' }), note };
    } finally {
      await full.stop();
      await empty.stop();
    }
  },
};
