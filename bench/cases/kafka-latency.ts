/** The time of a record from topic to topic through a workflow at 1,000 records per second. */
import type { BenchCase } from '../case.js';
import { findingOf } from '../harness.js';
import { withBroker } from '../kafka-broker.js';
import { latencies } from '../kafka-latency-work.js';

export const kafkaLatency: BenchCase = {
  name: 'kafka-latency',
  description:
    'p99 of a record from topic to topic at 1,000 records/s, exactly once (commits each 100 ms) and at least once',
  isSlow: true,
  run: (settings) =>
    withBroker(async () => {
      const [seconds, rounds] = settings.isQuick ? [3, 2] : [20, 5];
      const exactly: number[][] = [];
      const atLeast: number[][] = [];
      for (let round = 1; round <= rounds; round++) {
        settings.progress(`round ${round} of ${rounds}`);
        exactly.push(await latencies('exactly-once', seconds));
        atLeast.push(await latencies('at-least-once', seconds));
      }
      const medians = [exactly, atLeast].map((samples) =>
        samples.map((one) => quantile(one, 0.5).toFixed(1)).join(', '),
      );
      return findingOf(
        exactly.map((one) => quantile(one, 0.99)),
        atLeast.map((one) => quantile(one, 0.99)),
        {
          unit: 'ms',
          against: 'at least once',
          note: `p50 in ms by round: exactly once ${medians[0] ?? ''}; at least once ${medians[1] ?? ''}; writer, workflow and reader are one process`,
        },
      );
    }),
};

/** A value of sorted ones. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}
