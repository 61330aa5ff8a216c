/**
 * A Kafka broker on this machine, which is also its own controller.
 *
 * Guarantees: it listens on loopback only, on free ports, and keeps its data in a folder of its own, which `stop`
 * removes. It ends with the process that started it, also if that is killed: a shell between the two waits for the end
 * of its input.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { jars } from './artifacts.js';

const JAVA = [
  ...['-Xms128m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:ActiveProcessorCount=2'],
  ...['-cp', join(jars, '*')],
];
const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qk';
const START_MS = 180_000;

/** How a broker is started. */
export interface BrokerOptions {
  /** The port for clients. Default: a free one. */
  readonly port?: number;
  /** More lines of its `server.properties`. */
  readonly properties?: readonly string[];
  /** More listeners for clients: the protocol of each, such as `SASL_SSL`, by its name in capitals. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** More arguments of the formatting of its storage. */
  readonly format?: readonly string[];
}

/** A broker that answers. */
export interface Broker {
  /** The address for clients, `host:port`. */
  readonly address: string;
  /** The addresses of the other listeners, by name. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Kills it, as the loss of its machine would, and starts it again with the same data and ports. */
  bounce(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a broker. Resolves when it can create topics. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  // Another process may take one of the free ports between the search for them and the start.
  return options.port === undefined ? tryBroker(options).catch(() => tryBroker(options)) : tryBroker(options);
}

async function tryBroker(options: BrokerOptions): Promise<Broker> {
  const { port, properties = [], listeners = {}, format = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  const clients = port ?? (await freePort());
  const address = `127.0.0.1:${clients}`;
  const others = Object.keys(listeners).map(async (name) => [name, `127.0.0.1:${await freePort()}`] as const);
  const addresses = Object.fromEntries(await Promise.all(others));
  const controller = await freePort();
  const file = join(folder, 'server.properties');
  const lines = [
    ...propertiesOf({ folder, node: 1, controllers: [`127.0.0.1:${controller}`], advertised: address, address }),
    ...listenerLines(address, controller, listeners, addresses),
  ];
  await writeFile(file, [...lines, ...properties].join('\n'));
  await formatStorage(file, format);
  let running = await launch(file, join(folder, 'broker.log'), address).catch(async (error: unknown) => {
    await rm(folder, { recursive: true, force: true });
    throw error;
  });
  return {
    address,
    addresses,
    bounce: async () => {
      await end(running);
      running = await launch(file, join(folder, 'broker.log'), address);
    },
    stop: async () => {
      await end(running);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Replaces the listeners of `propertiesOf`, if there are others. */
function listenerLines(
  address: string,
  controller: number,
  listeners: Readonly<Record<string, string>>,
  addresses: Readonly<Record<string, string>>,
): string[] {
  if (Object.keys(listeners).length === 0) return [];
  const own = ['PLAINTEXT', ...Object.keys(listeners)].map((name) => `${name}://${addresses[name] ?? address}`);
  const protocols = Object.entries(listeners).map(([name, protocol]) => `,${name}:${protocol}`);
  return [
    `listeners=${own.join(',')},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=${own.join(',')}`,
    `listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocols.join('')}`,
  ];
}

/** Prepares the storage of a node. */
export async function formatStorage(file: string, more: readonly string[] = []): Promise<void> {
  await promisify(execFile)('java', [...JAVA, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', file, ...more]);
}

/**
 * The shell kills the broker when its input ends, which happens at the latest when this process ends. A line of input
 * lets the broker hand over to the others first.
 */
const GUARDED =
  '"$@" > "$LOG" 2>&1 < /dev/null & broker=$!; read -r how && kill $broker || kill -9 $broker; wait $broker';

/** Starts a node. Resolves when it, or another node of its cluster, answers at the address. */
export async function launch(file: string, log: string, address: string): Promise<ChildProcess> {
  const command = ['java', ...JAVA, 'kafka.Kafka', file];
  const child = spawn('sh', ['-c', GUARDED, 'broker', ...command], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, LOG: log },
  });
  const admin = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 500,
  }).admin();
  const latest = Date.now() + START_MS;
  for (;;) {
    try {
      await admin.connect();
      if ((await admin.describeCluster()).controller !== null) return child;
      throw new Error('The brokers have elected no controller');
    } catch (error) {
      if (Date.now() < latest && child.exitCode === null) await sleep(100);
      else {
        await end(child);
        throw new Error(`The broker did not start: ${await readFile(log, 'utf8')}`, { cause: error });
      }
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

/** Kills a node. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = once(child, 'exit');
  child.stdin?.end();
  await over;
}

/** Lets a node hand over to the others, and ends it. */
export async function shutDown(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = once(child, 'exit');
  child.stdin?.write('stop\n');
  await over;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What distinguishes a node of a cluster. */
export interface NodePlace {
  readonly folder: string;
  /** Its number, from 1. */
  readonly node: number;
  /** The addresses of the controllers of all nodes, in their order. */
  readonly controllers: readonly string[];
  /** Where it listens for clients and other nodes. */
  readonly address: string;
  /** The address that clients and other nodes learn. */
  readonly advertised: string;
}

/** The properties of a node that is also a controller. */
export function propertiesOf({ folder, node, controllers, address, advertised }: NodePlace): string[] {
  const copies = controllers.length;
  const voters = controllers.map((one, index) => `${index + 1}@${one}`);
  return [
    'process.roles=broker,controller',
    `node.id=${node}`,
    `controller.quorum.voters=${voters.join(',')}`,
    `listeners=PLAINTEXT://${address},CONTROLLER://${controllers[node - 1] as string}`,
    `advertised.listeners=PLAINTEXT://${advertised}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    `log.dirs=${join(folder, 'data')}`,
    'num.network.threads=2',
    'num.io.threads=2',
    'background.threads=2',
    'log.cleaner.threads=1',
    'log.cleaner.dedupe.buffer.size=2097152',
    'auto.create.topics.enable=false',
    `default.replication.factor=${copies}`,
    `min.insync.replicas=${Math.min(2, copies)}`,
    'offsets.topic.num.partitions=4',
    `offsets.topic.replication.factor=${copies}`,
    'transaction.state.log.num.partitions=4',
    `transaction.state.log.replication.factor=${copies}`,
    `transaction.state.log.min.isr=${Math.min(2, copies)}`,
    'share.coordinator.state.topic.num.partitions=1',
    `share.coordinator.state.topic.replication.factor=${copies}`,
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms=500',
    'log.segment.bytes=16777216',
    'log.index.size.max.bytes=1048576',
  ];
}
