/** 100,000 records of 200 bytes through kafkaSink, against the raw produce request of the same client. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';
import { withBroker } from '../kafka-broker.js';

export const kafkaSinkVsRaw: BenchCase = {
  name: 'kafka-sink-vs-raw',
  description: '100,000 records of 200 bytes through kafkaSink, against the raw produce request of the same client',
  goal: { on: 'ratio', is: 'at least', than: 0.8 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 100_000;
    return withBroker(() =>
      compareRates(
        {
          ours: { side: 'kafka-sink', title: 'kafkaSink', records, warmUpRecords: records },
          theirs: { side: 'kafka-produce', title: 'raw produce', records, warmUpRecords: records },
          rounds: roundsOf(settings),
        },
        settings,
        { note: 'one broker on the same machine, which needs processor time too' },
      ),
    );
  },
};
