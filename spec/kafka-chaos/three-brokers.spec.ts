/**
 * The short form of `npm run kafka-chaos`: brokers are restarted, leaders and coordinators move, and answers are lost
 * while a run is at work; two independent readers find each record once.
 */
import { expect, it } from '@jest/globals';
import { kafka } from 'millrace/kafka';
import { SLOW_RECORDS, SLOW_WINDOW, writingSlowly } from '../connectors/kafka/slow-writing.js';
import type { ClusterNode } from '../kafka/cluster.js';
import { describeWithCluster } from '../kafka/with-broker.js';
import { SHORT_SESSIONS } from '../lanes/short-sessions.js';
import { chaos, type Fault } from './chaos.js';

const SEED = Number(process.env['MILLRACE_KAFKA_SEED'] ?? 1);
const FAULTS: readonly Fault[] = [
  'move leaders',
  'lose answers to EndTxn',
  'restart a broker',
  'kill a worker',
  'kill the coordinators',
];
/** The faults that the run waits for: all of them would take twice the time. */
const AWAITED = 3;

describeWithCluster(
  'a run in lanes on three brokers',
  (cluster) => {
    it('loses no record and shows none twice while its brokers come and go', async () => {
      const { nodes, test } = cluster();
      const options = {
        cluster: nodes,
        test,
        seed: SEED,
        records: 1200,
        workMs: 15,
        faults: FAULTS,
        isOnce: true,
        awaited: AWAITED,
      };
      const { faults } = await chaos(options);
      // Those after them depend on the speed of the machine.
      expect(Object.keys(faults).slice(0, AWAITED)).toEqual(FAULTS.slice(0, AWAITED));
    }, 300_000);

    it('reads no further while too few copies of its topic are in sync, and continues by itself', async () => {
      const { nodes, test } = cluster();
      const topic = await test.topic(1);
      await test.change(topic, 'min.insync.replicas', '3');
      const { run, given } = writingSlowly(kafka({ brokers: nodes.brokers, timeoutMs: 120_000 }), topic);
      const [, , node] = nodes.nodes as [ClusterNode, ClusterNode, ClusterNode];
      await node.kill();
      const running = run();
      await new Promise((resolve) => setTimeout(resolve, 4000));
      expect(given()).toBeLessThan(SLOW_RECORDS);
      expect(running.counts['Out']?.out).toBeLessThan(SLOW_WINDOW);
      await node.restart();
      expect(await running.finished).toMatchObject({ outcome: 'completed' });
      expect(await test.read(topic)).toHaveLength(SLOW_RECORDS);
    }, 180_000);
  },
  { size: 3, properties: SHORT_SESSIONS.properties ?? [] },
);
