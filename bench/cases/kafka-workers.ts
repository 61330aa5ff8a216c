/** A computing stage behind a topic with two worker processes, against one; both include their start. */
import type { BenchCase } from '../case.js';
import { compareRates } from '../harness.js';
import { withBroker } from '../kafka-broker.js';

export const kafkaWorkers: BenchCase = {
  name: 'kafka-workers',
  description: 'a computing stage behind a topic with two worker processes, against one; both include their start',
  goal: { on: 'ratio', is: 'at least', than: 1.6 },
  isSlow: true,
  run: (settings) => {
    const records = settings.isQuick ? 4_000 : 80_000;
    return withBroker(() =>
      compareRates(
        {
          ours: { side: 'kafka-workers-two', title: 'two workers', records, warmUpRecords: 1000 },
          theirs: { side: 'kafka-workers-one', title: 'one worker', records, warmUpRecords: 1000 },
          rounds: settings.isQuick ? 1 : 3,
        },
        settings,
        { note: 'one broker on the same machine, which needs processor time too' },
      ),
    );
  },
};
