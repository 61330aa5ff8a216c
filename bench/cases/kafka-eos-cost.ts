/** From a topic to a topic exactly once, a transaction each 100 ms, against at least once. */
import type { BenchCase } from '../case.js';
import { compareRates, roundsOf } from '../harness.js';
import { withBroker } from '../kafka-broker.js';

export const kafkaEosCost: BenchCase = {
  name: 'kafka-eos-cost',
  description: 'from a topic to a topic exactly once, a transaction each 100 ms, against at least once',
  goal: { on: 'ratio', is: 'at least', than: 0.6 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 20_000 : 100_000;
    return withBroker(() =>
      compareRates(
        {
          ours: { side: 'kafka-exactly-once', title: 'exactly once', records, warmUpRecords: records },
          theirs: { side: 'kafka-at-least-once', title: 'at least once', records, warmUpRecords: records },
          rounds: roundsOf(settings),
        },
        settings,
        { note: 'one broker on the same machine, which needs processor time too' },
      ),
    );
  },
};
