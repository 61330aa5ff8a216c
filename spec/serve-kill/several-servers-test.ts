/**
 * Three real servers on one PostgreSQL, under schedules with a tick each second: at random moments one is killed and
 * started again, one is stopped for longer or shorter than its lease and then continued, the database crashes, or the
 * process of a run is killed.
 *
 * `severalServersTest` throws where a law is broken.
 */
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from 'millrace';
import { describeThrown } from '#lib/model/errors.js';
import { end, serve, until, type Served } from '../server/support/served.js';
import { PostgresServer } from '../support/postgres-server.js';
import { checkAtEnd, killARun, killFolder, type LawFigures } from './laws.js';

export interface SeveralServersFigures extends LawFigures {
  readonly kills: number;
  readonly pauses: number;
  /** Pauses of more than a lease. */
  readonly longPauses: number;
  readonly crashes: number;
  readonly killedRuns: number;
}

/** One thing that happens. */
export type Event = 'kill' | 'pause' | 'long pause' | 'kill run' | 'crash database';

const SERVERS = 3;
const LEASE_MS = 3000;

/** @param events in order; they never happen to two servers at the same moment, except by chance of the pauses. */
export async function severalServersTest(events: readonly Event[], seed: number): Promise<SeveralServersFigures> {
  const random = seededRandom(seed);
  const folder = killFolder();
  const database = await PostgresServer.start();
  const start = (): Promise<Served> =>
    serve(folder, '--max-runs', '2', '--store', database.url, '--lease', `${LEASE_MS / 1000}s`);
  const servers: Served[] = [];
  const paused = new Map<Served, Promise<void>>();
  const counted = { kills: 0, pauses: 0, longPauses: 0, crashes: 0, killedRuns: 0 };
  const pause = async (served: Served, forMs: number): Promise<void> => {
    served.process.kill('SIGSTOP');
    await sleep(forMs);
    served.process.kill('SIGCONT');
    paused.delete(served);
  };
  try {
    for (let n = 0; n < SERVERS; n++) servers.push(await start());
    for (const event of events) {
      await sleep(300 + Math.floor(random() * 1500));
      const index = Math.floor(random() * SERVERS);
      const chosen = servers[index] as Served;
      if (event === 'kill') {
        await paused.get(chosen);
        await end(chosen, 'SIGKILL');
        servers[index] = await start();
        counted.kills++;
      } else if (event === 'kill run') counted.killedRuns += killARun(folder, random);
      else if (event === 'crash database') {
        await database.crash();
        await sleep(random() * 2 * LEASE_MS);
        await database.begin();
        counted.crashes++;
      } else if (!paused.has(chosen)) {
        const isLong = event === 'long pause';
        // The next thing happens while it is stopped.
        paused.set(chosen, pause(chosen, isLong ? LEASE_MS * (1.5 + 2 * random()) : random() * LEASE_MS));
        counted.pauses++;
        if (isLong) counted.longPauses++;
      }
    }
    await Promise.all(paused.values());
    const answering = servers[0] as Served;
    await until(async () => ((await answering.ask('/overview')).body['servers'] as unknown[]).length === SERVERS);
    return { ...counted, ...(await checkAtEnd(answering)) };
  } finally {
    for (const served of servers) {
      const { exitCode, signalCode } = served.process;
      if (exitCode !== null || signalCode !== null)
        process.stderr.write(`A server ended: ${exitCode ?? signalCode ?? ''}\n`);
      served.process.kill('SIGCONT');
      await end(served);
    }
    await database.stop();
    removeFolder(folder);
  }
}

/** Where a law is broken runs may still be at work, and their files must not hide the reason. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } catch (error) {
    process.stderr.write(`${describeThrown(error)}\n`);
  }
}

/** Draws events for a long test. */
export function drawnEvents(count: number, seed: number): readonly Event[] {
  const random = seededRandom(seed + 1);
  const all: readonly Event[] = ['kill', 'kill', 'pause', 'long pause', 'long pause', 'kill run', 'crash database'];
  return Array.from({ length: count }, () => all[Math.floor(random() * all.length)] as Event);
}
