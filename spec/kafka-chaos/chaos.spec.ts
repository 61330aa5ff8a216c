/**
 * Workers die, come, go and are suspended, and the network loses connections and answers: no record is lost, and none
 * is seen twice. The long form, with three brokers that are killed too, is `npm run kafka-chaos`.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { whyNoBroker } from '../kafka/artifacts.js';
import { startCluster, type Cluster } from '../kafka/cluster.js';
import { TestCluster } from '../kafka/test-cluster.js';
import { SHORT_SESSIONS } from '../lanes/short-sessions.js';
import { chaos, type Fault } from './chaos.js';

/** Each once; `npm run kafka-chaos` draws them, and suspends workers and kills brokers as well. */
const FAULTS: readonly Fault[] = [
  ...(['kill a worker', 'add and drain workers', 'lose answers to EndTxn', 'reset connections'] as const),
  ...(['delay answers', 'silence a broker'] as const),
];
const SEED = Number(process.env['MILLRACE_KAFKA_SEED'] ?? 1);

const isPossible = whyNoBroker() === undefined;
(isPossible ? describe : describe.skip)('a run in lanes while everything around it fails', () => {
  let cluster: Cluster;
  let test: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster(1, SHORT_SESSIONS.properties);
    test = new TestCluster(cluster.brokers);
  }, 120_000);
  afterAll(async () => {
    await test.close();
    await cluster.stop();
  });

  it('loses no record and shows none twice, to two independent readers', async () => {
    const figures = await chaos({ cluster, test, seed: SEED, records: 1500, workMs: 20, faults: FAULTS, isOnce: true });
    expect(Object.keys(figures.faults).length).toBeGreaterThan(2);
  }, 300_000);
});
