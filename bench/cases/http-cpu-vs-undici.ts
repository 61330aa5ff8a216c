/** The processor time of a request, which the speed of the upstream does not hide and a busy machine changes little. */
import type { BenchCase } from '../case.js';
import { compareCpu, roundsOf } from '../harness.js';

export const httpCpuVsUndici: BenchCase = {
  name: 'http-cpu-vs-undici',
  description: 'processor time of a request over HTTP, against a bare loop over dispatch of undici',
  goal: { on: 'ratio', is: 'at most', than: 1.5 },
  run: (settings) => {
    const records = settings.isQuick ? 3_000 : 30_000;
    return compareCpu(
      {
        ours: { side: 'http-millrace', title: 'millrace', records, warmUpRecords: 10_000 },
        theirs: { side: 'http-undici', title: 'bare undici loop', records, warmUpRecords: 10_000 },
        rounds: roundsOf(settings),
      },
      settings,
    );
  },
};
