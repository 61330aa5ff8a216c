/**
 * The brokers of a cluster: connections to them, the choice of the broker for a request, and the repetition of
 * requests.
 *
 * Guarantees: a request is repeated while its error may be temporary, at most until the timeout. The metadata of the
 * cluster is requested again when an answer shows that it is outdated. There are two pools of connections: a broker
 * answers the requests of one connection in order, so a fetch that waits for records would hold up everything behind
 * it.
 */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type * as Package from '@platformatic/kafka';
import { MillraceError } from '../../connect/index.js';
import { faultOf, reasonOf, runErrorOf } from './client-faults.js';
import type { KafkaCluster, KafkaSaslOptions } from './cluster.js';
import { OutageWatch } from './outage.js';

const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;
/** How long a topic may be unknown: a broker learns of a new topic a moment later than the one that created it. */
const UNKNOWN_TOPIC_MS = 1000;

type CoordinatorOf = 'group' | 'transaction';
const COORDINATOR_TYPES: Readonly<Record<CoordinatorOf, number>> = { group: 0, transaction: 1 };

/** The metadata of a topic. */
export interface Topology {
  readonly cluster: string;
  readonly brokers: ReadonlyMap<number, Package.Broker>;
  readonly topicId: string;
  /** The leader of each partition. */
  readonly leaders: readonly number[];
  /** The number of copies of the partition that has the fewest. */
  readonly copies: number;
}

export class Brokers {
  readonly kafka: typeof Package;
  private readonly timeoutMs: number;
  private readonly bootstrap: Package.Broker[];
  /** For requests that are answered at once. */
  private readonly direct: Package.ConnectionPool;
  /** For fetches, which may wait. */
  private readonly waiting: Package.ConnectionPool;
  private readonly topologies = new Map<string, Topology>();
  private readonly coordinators = new Map<string, Package.Broker>();
  private readonly closing = new AbortController();

  private readonly outage: OutageWatch | undefined;
  /** Whether a broker has answered a request. Until then, a connection that is open proves little. */
  private hasAnswer = false;

  /** @param onNotice called once for each outage of the whole cluster, after two seconds. */
  constructor(kafka: typeof Package, { options }: KafkaCluster, onNotice?: (message: string) => void) {
    this.kafka = kafka;
    this.timeoutMs = options.timeoutMs;
    this.bootstrap = options.brokers.map((address) => {
      const colon = address.lastIndexOf(':');
      // An address of IPv6 is written in brackets, which are not a part of it.
      const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
      return { host, port: Number(address.slice(colon + 1)) };
    });
    const { clientId, tls, sasl, brokers, timeoutMs } = options;
    this.outage = onNotice && new OutageWatch({ brokers, timeoutMs, onNotice });
    const settings: Package.ConnectionOptions = {
      ...(tls === undefined || tls === false
        ? {}
        : // An IP address is not a server name.
          { tls: tls === true ? {} : { ...tls }, tlsServerName: this.bootstrap.every(({ host }) => isIP(host) === 0) }),
      ...(sasl === undefined ? {} : { sasl: saslOf(sasl) }),
    };
    this.direct = new kafka.ConnectionPool(clientId, settings);
    this.waiting = new kafka.ConnectionPool(clientId, settings);
  }

  get isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  /** A connection to any broker. */
  any(): Promise<Package.Connection> {
    return this.reached(this.direct.getFirstAvailable(this.bootstrap));
  }

  /** A connection to the broker that creates and deletes topics. */
  async controller(): Promise<Package.Connection> {
    const connection = await this.any();
    const { brokers, controllerId } = await this.kafka.metadataV12.api.async(connection, [], false, false);
    const found = brokers.find(({ nodeId }) => nodeId === controllerId);
    return found === undefined ? connection : this.reached(this.direct.get({ host: found.host, port: found.port }));
  }

  /** A connection to each broker of the cluster. */
  async all(): Promise<readonly Package.Connection[]> {
    const { brokers } = await this.kafka.metadataV12.api.async(await this.any(), [], false, false);
    return Promise.all([...brokers.values()].map(({ host, port }) => this.reached(this.direct.get({ host, port }))));
  }

  /** A connection to a broker of a topic, by its number; undefined: that of a partition without a leader. */
  one(topology: Topology, broker: number | undefined): Promise<Package.Connection> {
    return this.reached(this.direct.get(brokerOf(topology, broker)));
  }

  /** Like `one`, for a request whose answer may wait. */
  waitingOne(topology: Topology, broker: number | undefined): Promise<Package.Connection> {
    return this.reached(this.waiting.get(brokerOf(topology, broker)));
  }

  /** A connection to the broker that is responsible for a group or a transactional id. */
  async coordinator(of: CoordinatorOf, name: string): Promise<Package.Connection> {
    const key = `${of} ${name}`;
    let broker = this.coordinators.get(key);
    if (broker === undefined) {
      const connection = await this.any();
      const { coordinators } = await this.kafka.findCoordinatorV4.api.async(connection, COORDINATOR_TYPES[of], [name]);
      const [found] = coordinators;
      if (found === undefined) throw passing('COORDINATOR_NOT_AVAILABLE');
      broker = { host: found.host, port: found.port };
      this.coordinators.set(key, broker);
    }
    return this.reached(this.direct.get(broker));
  }

  /** The metadata of a topic. Throws MILLRACE_KAFKA if there is no such topic. @param isStale requests it again. */
  async topology(topic: string, isStale = false): Promise<Topology> {
    const known = this.topologies.get(topic);
    if (known !== undefined && !isStale) return known;
    const unknownUntil = performance.now() + UNKNOWN_TOPIC_MS;
    return this.repeat(
      `find topic '${topic}'`,
      async () => {
        const connection = await this.any();
        const { brokers, clusterId, topics } = await this.kafka.metadataV12.api.async(
          connection,
          [topic],
          false,
          false,
        );
        const [found] = topics;
        const topology: Topology = {
          cluster: clusterId ?? '',
          brokers: new Map(brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])),
          topicId: found?.topicId ?? '',
          leaders: [...(found?.partitions ?? [])]
            .sort((a, b) => a.partitionIndex - b.partitionIndex)
            .map(({ leaderId }) => leaderId),
          copies: Math.min(...(found?.partitions ?? []).map(({ replicaNodes }) => replicaNodes.length)),
        };
        this.topologies.set(topic, topology);
        return topology;
      },
      (error) => {
        if (performance.now() < unknownUntil) return;
        if (!faultOf(error).answers.includes('UNKNOWN_TOPIC_OR_PARTITION')) return;
        throw new MillraceError(
          'MILLRACE_KAFKA',
          `There is no topic '${topic}'. Create it, for example: kafka-topics.sh --create --topic ${topic} --partitions 12 --bootstrap-server …`,
          { cause: error },
        );
      },
    );
  }

  /** Repeats the request while its error may be temporary. `refuse` may throw another error instead. */
  async repeat<T>(
    what: string,
    request: () => Promise<T>,
    refuse: (error: unknown) => void = () => undefined,
  ): Promise<T> {
    const latest = performance.now() + this.timeoutMs;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      this.assertOpen();
      try {
        const answer = await request();
        this.hasAnswer = true;
        this.outage?.end();
        return answer;
      } catch (error) {
        refuse(error);
        const { isPassing: mayPass, isStale, answers } = faultOf(error);
        if (answers.length > 0) {
          this.hasAnswer = true;
          this.outage?.end();
        }
        if (!mayPass || performance.now() + pauseMs > latest) {
          this.outage?.end();
          throw runErrorOf(what, error);
        }
        if (isStale) this.forget();
        await sleep(pauseMs, undefined, { signal: this.closing.signal }).catch(() => undefined);
      }
    }
  }

  /** Throws MILLRACE_ABORTED after `close`. */
  assertOpen(): void {
    if (!this.closing.signal.aborted) return;
    throw new MillraceError('MILLRACE_ABORTED', 'The connections to Kafka were closed');
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.outage?.end();
    await Promise.all([this.direct.close(), this.waiting.close()]);
  }

  private async reached(connecting: Promise<Package.Connection>): Promise<Package.Connection> {
    const { outage } = this;
    if (!this.isClosed) outage?.begin();
    try {
      const connection = await connecting;
      if (this.hasAnswer) outage?.end();
      return connection;
    } catch (error) {
      outage?.fail(reasonOf(error));
      throw error;
    }
  }

  /** Forgets leaders and coordinators, so that they are looked up again. */
  forget(): void {
    this.topologies.clear();
    this.coordinators.clear();
  }
}

function brokerOf({ brokers }: Topology, id: number | undefined): Package.Broker {
  const broker = id === undefined ? undefined : brokers.get(id);
  if (broker !== undefined) return broker;
  // A partition without a leader gets one, or the request fails in the end.
  throw passing('LEADER_NOT_AVAILABLE');
}

function passing(apiId: string): Error {
  return Object.assign(new Error('No broker is responsible at the moment'), { apiId });
}

function saslOf({ mechanism, ...credentials }: KafkaSaslOptions): Package.SASLOptions {
  return { mechanism: mechanism.toUpperCase() as Package.SASLMechanismValue, ...credentials };
}
