/**
 * A cluster of brokers on this machine whose clients reach each broker through a proxy of ours; the brokers reach each
 * other directly.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, formatStorage, freePort, launch, propertiesOf, shutDown } from './broker.js';
import { FaultProxy } from './fault-proxy.js';

/** One broker of a cluster. */
export interface ClusterNode {
  readonly proxy: FaultProxy;
  /** Kills it, as the loss of its machine would. */
  kill(): Promise<void>;
  /** Lets it hand over to the others, and ends it. */
  shutDown(): Promise<void>;
  /** Starts it again with the same data and ports. Resolves when it answers. */
  restart(): Promise<void>;
}

export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  /** The addresses for clients, through the proxies. */
  readonly brokers: readonly string[];
  stop(): Promise<void>;
}

/** Starts the brokers at the same time, because one alone never gets ready. Resolves when all of them answer. */
export async function startCluster(size: number, properties: readonly string[] = [], isLast = false): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-cluster-'));
  const controllers = await Promise.all(
    [...new Array<undefined>(size)].map(async () => `127.0.0.1:${await freePort()}`),
  );
  const proxies = await Promise.all(controllers.map(() => FaultProxy.start()));
  const running = new Map<number, ChildProcess>();
  const places = await Promise.all(
    controllers.map(async (_, index) => {
      const node = index + 1;
      const [between, clients] = [await freePort(), await freePort()];
      const proxy = proxies[index] as FaultProxy;
      proxy.leadTo(clients);
      const own = join(folder, String(node));
      const address = `127.0.0.1:${between}`;
      const lines = [
        ...propertiesOf({ folder: own, node, controllers, address, advertised: address }),
        `listeners=PLAINTEXT://${address},CLIENTS://127.0.0.1:${clients},CONTROLLER://${controllers[index] as string}`,
        `advertised.listeners=PLAINTEXT://${address},CLIENTS://${proxy.address}`,
        'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT',
        ...['broker.heartbeat.interval.ms=500', 'broker.session.timeout.ms=3000'],
        ...['controller.quorum.election.timeout.ms=500', 'controller.quorum.fetch.timeout.ms=1000'],
        ...properties,
      ];
      const file = join(folder, `${node}.properties`);
      await writeFile(file, lines.join('\n'));
      return { node, proxy, file, log: join(folder, `${node}.log`), address };
    }),
  );
  for (const { file } of places) await formatStorage(file);
  const start = async ({ node, file, log, address }: (typeof places)[number]): Promise<void> => {
    running.set(node, await launch(file, log, address));
  };
  const stop = async (): Promise<void> => {
    await Promise.all([...running.values()].map(end));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  const started = await Promise.allSettled(places.map(start));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    // Another process may have taken one of the ports between the search for them and the start.
    if (isLast) throw failed.reason;
    return startCluster(size, properties, true);
  }
  return {
    brokers: proxies.map(({ address }) => address),
    nodes: places.map((place) => ({
      proxy: place.proxy,
      kill: () => end(running.get(place.node) as ChildProcess),
      shutDown: () => shutDown(running.get(place.node) as ChildProcess),
      restart: () => start(place),
    })),
    stop,
  };
}
