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
const START_MS = 60_000;

/** How a broker is started. */
export interface BrokerOptions {
  /** The port for clients. Default: a free one. */
  readonly port?: number;
  /** More lines of its `server.properties`. */
  readonly properties?: readonly string[];
}

/** A broker that answers. */
export interface Broker {
  /** The address for clients, `host:port`. */
  readonly address: string;
  /** Kills it, as the loss of its machine would, and starts it again with the same data and ports. */
  bounce(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Starts a broker. Resolves when it can create topics. */
export async function startBroker({ port, properties = [] }: BrokerOptions = {}): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-kafka-'));
  const clients = port ?? (await freePort());
  const address = `127.0.0.1:${clients}`;
  const file = join(folder, 'server.properties');
  await writeFile(file, [...propertiesOf(folder, clients, await freePort()), ...properties].join('\n'));
  await promisify(execFile)('java', [...JAVA, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', file]);
  let running = await launch(file, join(folder, 'broker.log'), address);
  return {
    address,
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

/** The shell kills the broker when its input ends, which happens at the latest when this process ends. */
const GUARDED = '"$@" > "$LOG" 2>&1 < /dev/null & broker=$!; cat > /dev/null; kill -9 $broker; wait $broker';

async function launch(file: string, log: string, address: string): Promise<ChildProcess> {
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
    } catch (error) {
      if (Date.now() < latest) await sleep(100);
      else {
        await end(child);
        throw new Error(`The broker did not start: ${await readFile(log, 'utf8')}`, { cause: error });
      }
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = once(child, 'exit');
  child.stdin?.end();
  await over;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function propertiesOf(folder: string, clients: number, controller: number): string[] {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${clients},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${clients}`,
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
    'offsets.topic.num.partitions=4',
    'offsets.topic.replication.factor=1',
    'transaction.state.log.num.partitions=4',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'share.coordinator.state.topic.num.partitions=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms=500',
    'log.segment.bytes=16777216',
    'log.index.size.max.bytes=1048576',
  ];
}
