/** 200,000 records of 200 bytes through kafkaSource, against kafkajs. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';
import { withBroker } from '../kafka-broker.js';

export const kafkaSourceVsKafkajs: BenchCase = {
  name: 'kafka-source-vs-kafkajs',
  description: '200,000 records of 200 bytes through kafkaSource, against kafkajs',
  goal: { on: 'ratio', is: 'at least', than: 1.2 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 200_000;
    return withBroker(() =>
      compareRates(
        {
          ours: { side: 'kafka-source', title: 'kafkaSource', records, warmUpRecords: records },
          theirs: { side: 'kafka-kafkajs', title: 'kafkajs', records, warmUpRecords: records },
          rounds: roundsOf(settings),
        },
        settings,
        { note: 'one broker on the same machine, which needs processor time too' },
      ),
    );
  },
};
