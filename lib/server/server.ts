/**
 * A server: schedules, runs and monitors the workflows of one folder, and shows them over HTTP.
 *
 * Guarantees: a store in a file has one server, by a lease; a second one is refused with an error that names the first
 * one. Several servers may share a store in PostgreSQL. After `close`, runs that are at work continue; the next server,
 * or another one, adopts them. While the store cannot be reached, the page answers, and nothing is decided or started.
 */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Waiter } from '../model/awaitable.js';
import { codeOf, describeThrown, MillraceError } from '../model/errors.js';
import { parseSize } from '../text/quantities.js';
import { removeOld } from './retention.js';
import { createWhole } from '../storage/lease.js';
import { isRunning, thisProcess } from '../storage/process-identity.js';
import { AlertPost } from './alerts/alert-post.js';
import { alertTarget } from './alerts/alert-target.js';
import type { ServerFacts } from './api/api.js';
import { buildApp } from './api/app.js';
import { Catalog } from './catalog.js';
import { diskObstacle } from './disk.js';
import { runProcesses } from './runs/run-processes.js';
import { RecordStories } from './runs/record-stories.js';
import { RunViews } from './runs/run-views.js';
import { RunFolders } from './runs/run-folders.js';
import { Member } from './servers/member.js';
import { ONLY_SERVER } from './servers/membership.js';
import { openStore } from './store/open-store.js';
import { Supervisor } from './supervisor.js';
import { MOST_QUEUED } from './api/trigger-routes.js';
import { FileWatch } from './triggers/file-watch.js';
import { knownTriggers, type KnownTrigger } from './triggers/known-triggers.js';
import { makeFolder } from '../storage/make-folder.js';

export interface ServeOptions {
  /** The folder of the workflows, which is the current folder of runs too; absolute. */
  readonly folder: string;
  /** The folder of kept runs; absolute. */
  readonly runs: string;
  /** The folder of the server's own files; absolute. */
  readonly home: string;
  readonly host: string;
  /** The port; 0 for a free one. */
  readonly port: number;
  /** More names under which the server answers, each with its port unless it is the default port of the scheme. */
  readonly allowedHosts: readonly string[];
  /** The most runs at work. */
  readonly maxRuns: number;
  /** The sizes of the pools, by name. */
  readonly pools: ReadonlyMap<string, number>;
  /** The file of the store, absolute, or the URL of a PostgreSQL database. Default: `state.db` in `home`. */
  readonly store?: string | undefined;
  /** The time after which the other servers of its store may replace this one if it is silent, in milliseconds. */
  readonly leaseMs: number;
  /** Runs that ended longer ago than this, in milliseconds, are removed; undefined for never. */
  readonly keepMs?: number | undefined;
  /** The target of alerts: an address of http or https, or a command. */
  readonly alert?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The script of the command line, and the folder of the built dashboard; absolute. */
  readonly script: string;
  readonly pages: string;
  /**
   * Called with the error of each pass that failed; the next pass follows as usual. While the store cannot be reached,
   * only with the first one.
   */
  readonly onError: (error: unknown) => void;
  /** Called with a sentence when the store can be reached again, and when this server has joined the others again. */
  readonly onNews: (text: string) => void;
  /** Called if another server takes over the folder. */
  readonly onLost: (error: unknown) => void;
}

export interface RunningServer {
  /** The address, without the code. */
  readonly url: string;
  /** The address that opens the dashboard without a token, once, within ten minutes. */
  readonly signInUrl: string;
  /** The file with a token of role admin. */
  readonly tokenFile: string;
  close(): Promise<void>;
}

/** The longest time between two passes: while a run is at work, and otherwise. */
const PASS_MS = 500;
const REFRESH_MS = 5000;
const TIDY_MS = 3_600_000;
/** The number of renewals in the time of a lease. */
const RENEWALS = 5;

/**
 * Starts a server. Rejects with MILLRACE_LOCKED if another one serves the folder, MILLRACE_USAGE if it cannot listen,
 * and MILLRACE_FILE if its files cannot be used.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { folder, runs, home, host, port, maxRuns, pools, script, keepMs, onError, onLost, onNews } = options;
  // The code of workflows must not see a token of the server, and not its store.
  const environment = { ...options.environment, MILLRACE_TOKEN: undefined, MILLRACE_STORE: undefined };
  const target = options.alert === undefined ? undefined : alertTarget(options.alert, { folder, environment });
  makeFolder(home, 0o700);
  makeFolder(runs, 0o700);
  const { store, isShared, ...opened } = await openStore(options.store ?? join(home, 'state.db'), folder);
  const now = (): number => Date.now();
  const post = target === undefined ? undefined : new AlertPost({ store, target, now });
  const views = new RunViews(runs);
  const output = join(home, 'output');
  let poke = (): void => undefined;
  let changed = (): void => undefined;
  const catalog = new Catalog({ folder, script, environment });
  const firstDescription = new Waiter();
  const processes = runProcesses({
    runs,
    output,
    folder,
    environment,
    script,
    memoryOf: (workflow) => parseSize(catalog.workflow(workflow)?.serving.maxMemory ?? ''),
    onExit: () => {
      poke();
    },
  });
  let triggers: readonly KnownTrigger[] = [];
  let pauses = await store.pausedTriggers();
  const activeTriggers = (): readonly KnownTrigger[] => triggers.filter(({ id }) => !pauses.has(id));
  const startedAt = now();
  const identity = await thisProcess();
  let url = '';
  const member = isShared
    ? new Member({
        store,
        server: () => ({
          ...{ host: identity.host, url, pools: Object.fromEntries(pools), maxRuns, startedAt },
          ...{ leaseMs: options.leaseMs, process: identity },
        }),
        clock: elapsedMs,
        isDead: async (other) => (await isRunning(other)) === false,
      })
    : undefined;
  const supervisor = new Supervisor({
    store,
    processes,
    membership: member ?? ONLY_SERVER,
    now,
    maxRuns,
    pools,
    rulesOf: (workflow) => catalog.workflow(workflow)?.serving,
    triggers: activeTriggers,
    isReady: () => catalog.isDescribed,
    sendsAlerts: target !== undefined,
    obstacle: () => diskObstacle(runs),
    onChange: () => {
      changed();
    },
  });
  const files = new FileWatch({
    folder,
    triggers: activeTriggers,
    deliver: (trigger, event) => supervisor.deliver(trigger, event),
    hasRoom: async () => (await store.counts()).queued < MOST_QUEUED,
  });
  let names: readonly string[] = [];
  const app = buildApp({
    firstDescription: firstDescription.wait(),
    ...{ store, supervisor, catalog, views, now, runs, output, environment, maxRuns, pools, startedAt },
    obstacle: () => diskObstacle(runs),
    stories: new RecordStories({ runs, folder, script, environment }),
    servers: () => shownServers(member),
    backups: join(home, 'backups'),
    triggers: () => triggers,
    triggerPause: (id) => pauses.get(id),
    pauseTrigger: async (id, pause) => {
      await store.pauseTrigger(id, pause);
      pauses = await store.pausedTriggers();
      changed();
    },
    fileProblem: (id) => files.problemOf(id),
    ...{
      hosts: () => names,
      pages: options.pages,
      poke: () => {
        poke();
      },
    },
  });
  const closeAll = async (): Promise<void> => {
    await app.http.close();
    await opened.close();
  };
  try {
    await app.http.listen({ host, port });
  } catch (error) {
    await closeAll();
    const why = codeOf(error) === 'EADDRINUSE' ? 'it is in use' : describeThrown(error);
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Cannot serve on port ${port} of ${host}: ${why}. Name another one with --port, or 0 for a free one`,
      { cause: error },
    );
  }
  const { port: actualPort } = app.http.server.address() as AddressInfo;
  const isWildcard = host === '0.0.0.0' || host === '::';
  const shown = isWildcard ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  const own = new Set(['127.0.0.1', 'localhost', '[::1]', shown.toLowerCase()]);
  names = [...[...own].map((name) => `${name}:${actualPort}`), ...options.allowedHosts];
  changed = () => {
    app.live.changed();
  };
  url = `http://${shown}:${actualPort}`;
  const prepare = async (): Promise<string> => {
    await member?.join();
    return ensureTokenFile(join(home, 'token'), (token) => app.access.ensureToken(token, 'token file', 'admin'));
  };
  const tokenFile = await prepare().catch(async (error: unknown) => {
    await closeAll();
    throw error;
  });

  let isClosing = false;
  let timer: NodeJS.Timeout | undefined;
  let passing: Promise<void> = Promise.resolve();
  let refreshedAt = -Infinity;
  let tidiedAt = -Infinity;
  const foreign = new RunFolders({ runs, store, processes, now });
  const news = new StoreNews({ onError, onNews });
  const report = (error: unknown): void => {
    news.failed(error);
  };
  /** Whether the schedules must be synchronised, because the workflows or the leader have changed. */
  let isToSync = true;
  let seenChange = -1;
  /** Not awaited: a file of a workflow that never ends must not hold up runs. */
  const describe = (): void => {
    const refreshed = catalog.refresh().then((isNew) => {
      if (!isNew) return;
      triggers = knownTriggers(catalog.workflows, environment);
      firstDescription.wake();
      isToSync = true;
      // At once, unless that would describe them again and again without a pause.
      if (catalog.isComplete) refreshedAt = -Infinity;
      changed();
      poke();
    });
    refreshed.catch(report);
  };
  const look = async (isLeader: boolean): Promise<void> => {
    // First, because requests wait for it, and a look at many folders takes seconds.
    describe();
    if (isLeader) await foreign.look();
    if (member !== undefined) pauses = await store.pausedTriggers();
    if (!isLeader) {
      isToSync = true;
      return;
    }
    if (isToSync && catalog.isDescribed) {
      await supervisor.sync(catalog.workflows, catalog.problems.length === 0);
      isToSync = false;
      changed();
    }
    if (catalog.isDescribed) await files.look();
  };
  const work = async (): Promise<void> => {
    try {
      opened.assertHeld();
    } catch (error) {
      isClosing = true;
      onLost(error);
      return;
    }
    try {
      if (member?.hasJoined === false) {
        await supervisor.between(() => member.join());
        onNews('This server was silent for too long and has lost its runs to the others. It has joined them again');
      }
      const isLeader = supervisor.isLeader();
      if (performance.now() - refreshedAt > REFRESH_MS) {
        refreshedAt = performance.now();
        await look(isLeader);
      }
      await supervisor.pass();
      if (isLeader && keepMs !== undefined && performance.now() - tidiedAt > TIDY_MS) {
        const removed = await removeOld({ store, runs, output, onError }, now() - keepMs);
        if (removed === 0) tidiedAt = performance.now();
        else changed();
      }
      // Not awaited: a target that does not answer must not hold up runs.
      if (isLeader) post?.send().catch(report);
      const lastChange = member === undefined ? seenChange : await store.changes();
      if (lastChange !== seenChange) changed();
      seenChange = lastChange;
      news.works();
    } catch (error) {
      report(error);
    }
  };
  const loop = (): void => {
    clearTimeout(timer);
    if (isClosing) return;
    passing = passing.then(work).then(() => {
      clearTimeout(timer);
      if (!isClosing) timer = setTimeout(loop, PASS_MS);
    });
  };
  poke = loop;
  loop();
  const beat = setInterval(() => {
    member?.renew().catch(report);
  }, options.leaseMs / RENEWALS);
  return {
    url,
    signInUrl: `${url}/#code=${app.access.newCode()}`,
    tokenFile,
    close: async () => {
      isClosing = true;
      clearTimeout(timer);
      catalog.close();
      firstDescription.wake();
      app.live.close();
      await passing;
      clearInterval(beat);
      await post?.close();
      // Without its database this server is removed by the others.
      await member?.leave().catch(() => undefined);
      await closeAll();
    },
  };
}

/** Reports errors of the store, and a loss of its database once. */
class StoreNews {
  private readonly ports: Pick<ServeOptions, 'onError' | 'onNews'>;
  private isCutOff = false;

  constructor(ports: Pick<ServeOptions, 'onError' | 'onNews'>) {
    this.ports = ports;
  }

  failed(error: unknown): void {
    // The next pass joins the other servers again.
    if (codeOf(error) === 'MILLRACE_LOCKED') return;
    const isAgain = this.isCutOff;
    if (codeOf(error) === 'MILLRACE_NETWORK') this.isCutOff = true;
    if (!isAgain) this.ports.onError(error);
  }

  works(): void {
    if (this.isCutOff) this.ports.onNews('The database of the store can be reached again');
    this.isCutOff = false;
  }
}

function shownServers(member: Member | undefined): readonly ServerFacts[] {
  return (member?.servers ?? []).map((one, index) => ({
    ...{ number: one.number, host: one.host, url: one.url, pools: one.pools, maxRuns: one.maxRuns },
    ...{ startedAt: one.startedAt, renewedAt: one.renewedAt },
    isLeader: index === 0,
    isThis: one.number === member?.number,
  }));
}

/** Milliseconds, also those during which this process was stopped, or its machine slept. */
function elapsedMs(): number {
  return Math.max(performance.now() - STARTED.monotonicMs, Date.now() - STARTED.wallMs);
}

const STARTED = { monotonicMs: performance.now(), wallMs: Date.now() };

/** A file that only its owner can read, with a token of role admin. */
async function ensureTokenFile(path: string, ensure: (token: string) => Promise<void>): Promise<string> {
  // Servers that share the folder may begin at the same moment.
  if (!existsSync(path)) await createWhole(path, `mr_${randomBytes(32).toString('base64url')}\n`);
  chmodSync(path, 0o600);
  await ensure(readFileSync(path, 'utf8').trim());
  return path;
}
