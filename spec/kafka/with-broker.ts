/** Specs that talk to a real broker: that of all specs, or one of their own. */
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { kafka, type KafkaCluster } from '#lib/connectors/kafka/index.js';
import { whyNoBroker } from './artifacts.js';
import { startBroker, type Broker, type BrokerOptions } from './broker.js';
import { startCluster, type Cluster } from './cluster.js';
import { sharedBroker } from './shared-broker.js';
import { TestCluster } from './test-cluster.js';

export type { SeenRecord } from './test-cluster.js';

/** A broker, and kafkajs as the client that judges ours. */
export class TestBroker extends TestCluster {
  readonly cluster: KafkaCluster;
  private readonly broker: Broker;

  constructor(broker: Broker) {
    super([broker.address]);
    this.broker = broker;
    this.cluster = kafka({ brokers: [broker.address] });
  }

  get address(): string {
    return this.broker.address;
  }

  /** The address of another listener. */
  at(listener: string): string {
    return this.broker.addresses[listener] as string;
  }

  bounce(): Promise<void> {
    return this.broker.bounce();
  }

  async stop(): Promise<void> {
    await this.close();
    await this.broker.stop();
  }
}

/**
 * A group of cases that need a broker. Without one they are skipped, and the reason is the name of the skipped case.
 *
 * @param own the options of a broker of their own, which they may bounce. Default: the broker that all specs share. It
 *   expels a silent worker after six seconds.
 */
export function describeWithBroker(name: string, cases: (broker: () => TestBroker) => void, own?: BrokerOptions): void {
  describeIfPossible(name, () => {
    let broker: TestBroker;
    beforeAll(async () => {
      broker = new TestBroker(await (own === undefined ? sharedBroker() : startBroker(own)));
    }, 120_000);
    afterAll(async () => {
      await broker.stop();
    });
    cases(() => broker);
  });
}

/** A cluster of several brokers, each behind a proxy of ours, and the client that judges ours. */
export interface TestNodes {
  readonly nodes: Cluster;
  readonly test: TestCluster;
}

/** A group of cases that need several brokers, which are started once for all of them. */
export function describeWithCluster(
  name: string,
  cases: (cluster: () => TestNodes) => void,
  { size, properties }: { readonly size: number; readonly properties: readonly string[] },
): void {
  describeIfPossible(name, () => {
    let nodes: Cluster;
    let test: TestCluster;
    beforeAll(async () => {
      nodes = await startCluster(size, properties);
      test = new TestCluster(nodes.brokers);
    }, 180_000);
    afterAll(async () => {
      await test.close();
      await nodes.stop();
    }, 60_000);
    cases(() => ({ nodes, test }));
  });
}

function describeIfPossible(name: string, cases: () => void): void {
  const reason = whyNoBroker();
  describe(name, () => {
    if (reason === undefined) cases();
    else if (process.env['MILLRACE_KAFKA'] === 'required') {
      it('needs a broker', () => {
        throw new Error(`MILLRACE_KAFKA is required, and no broker can be started: ${reason}`);
      });
    } else it.skip(`is skipped: ${reason}`, () => undefined);
  });
}
