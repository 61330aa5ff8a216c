/** The gain from a second core: the same cpu task in two threads and inline. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';

export const cpuTaskSpeedup: BenchCase = {
  name: 'cpu-task-speedup',
  description: 'a cpu task of about 25 µs per record in two threads, against the same run inline',
  goal: { on: 'ratio', is: 'at least', than: 1.7 },
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 80_000;
    return compareRates(
      {
        ours: { side: 'cpu-threads', title: 'two threads', records, warmUpRecords: records / 4 },
        theirs: { side: 'cpu-inline', title: 'inline', records, warmUpRecords: records / 4 },
        rounds: roundsOf(settings),
      },
      settings,
      { note: 'threads start within the sample; needs two free cores' },
    );
  },
};
