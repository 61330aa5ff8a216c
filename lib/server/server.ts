/**
 * A server: schedules, runs and monitors the workflows of one folder, and shows them over HTTP.
 *
 * Guarantees: one server per folder, by a lease; a second one is refused with an error that names the first one. After
 * `close`, runs that are at work continue; the next server adopts them.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { codeOf, describeThrown, MillraceError } from '../model/errors.js';
import { parseSize } from '../text/quantities.js';
import { removeOld } from './retention.js';
import { claimFile } from '../storage/file-owner.js';
import { AlertPost } from './alerts/alert-post.js';
import { alertTarget } from './alerts/alert-target.js';
import { buildApp } from './api/app.js';
import { Catalog } from './catalog.js';
import { runProcesses } from './runs/run-processes.js';
import { RunViews } from './runs/run-views.js';
import { RunFolders } from './runs/run-folders.js';
import type { ServerStore } from './store/server-store.js';
import { sqliteStore } from './store/sqlite-store.js';
import { Supervisor } from './supervisor.js';
import { MOST_QUEUED } from './api/trigger-routes.js';
import { FileWatch } from './triggers/file-watch.js';
import { knownTriggers, type KnownTrigger } from './triggers/known-triggers.js';

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
  /** Runs that ended longer ago than this, in milliseconds, are removed; undefined for never. */
  readonly keepMs?: number | undefined;
  /** The target of alerts: an address of http or https, or a command. */
  readonly alert?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The script of the command line, and the folder of the built dashboard; absolute. */
  readonly script: string;
  readonly pages: string;
  /** Called with the error of each pass that failed; the next pass follows as usual. */
  readonly onError: (error: unknown) => void;
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

/**
 * Starts a server. Rejects with MILLRACE_LOCKED if another one serves the folder, MILLRACE_USAGE if it cannot listen,
 * and MILLRACE_FILE if its files cannot be used.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { folder, runs, home, host, port, maxRuns, pools, script, keepMs, onError, onLost } = options;
  // The code of workflows must not see a token of the server.
  const environment = { ...options.environment, MILLRACE_TOKEN: undefined };
  const target = options.alert === undefined ? undefined : alertTarget(options.alert, { folder, environment });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  mkdirSync(runs, { recursive: true, mode: 0o700 });
  const database = join(home, 'state.db');
  const claim = await claimFile(database).catch((error: unknown) => {
    throw codeOf(error) === 'MILLRACE_LOCKED'
      ? new MillraceError('MILLRACE_LOCKED', `${folder} is served already: ${describeThrown(error)}`, { cause: error })
      : error;
  });
  let store: ServerStore;
  try {
    store = sqliteStore(database);
  } catch (error) {
    await claim();
    throw error;
  }
  const now = (): number => Date.now();
  const post = target === undefined ? undefined : new AlertPost({ store, target, now });
  const views = new RunViews(runs);
  const output = join(home, 'output');
  let poke = (): void => undefined;
  let changed = (): void => undefined;
  const catalog = new Catalog({ folder, script, environment });
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
  const supervisor = new Supervisor({
    store,
    processes,
    now,
    maxRuns,
    pools,
    rulesOf: (workflow) => catalog.workflow(workflow)?.serving,
    triggers: activeTriggers,
    isReady: () => catalog.isDescribed,
    sendsAlerts: target !== undefined,
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
    ...{ store, supervisor, catalog, views, now, runs, output, environment, maxRuns, startedAt: now() },
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
    await store.close();
    await claim();
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
  const tokenFile = await ensureTokenFile(join(home, 'token'), (token) =>
    app.access.ensureToken(token, 'token file', 'admin'),
  );

  let isClosing = false;
  let timer: NodeJS.Timeout | undefined;
  let passing: Promise<void> = Promise.resolve();
  let refreshedAt = -Infinity;
  let tidiedAt = -Infinity;
  const foreign = new RunFolders({ runs, store, processes, now });
  const work = async (): Promise<void> => {
    try {
      claim.assertHeld();
    } catch (error) {
      isClosing = true;
      onLost(error);
      return;
    }
    try {
      const isLook = performance.now() - refreshedAt > REFRESH_MS;
      if (isLook) {
        refreshedAt = performance.now();
        await foreign.look();
        if (await catalog.refresh()) {
          triggers = knownTriggers(catalog.workflows, environment);
          await supervisor.sync(catalog.workflows, catalog.problems.length === 0);
          changed();
        }
      }
      if (isLook && catalog.isDescribed) await files.look();
      await supervisor.pass();
      if (keepMs !== undefined && performance.now() - tidiedAt > TIDY_MS) {
        const removed = await removeOld({ store, runs, output, onError }, now() - keepMs);
        if (removed === 0) tidiedAt = performance.now();
        else changed();
      }
      // Not awaited: a target that does not answer must not hold up runs.
      post?.send().catch(onError);
    } catch (error) {
      onError(error);
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
  const url = `http://${shown}:${actualPort}`;
  return {
    url,
    signInUrl: `${url}/#code=${app.access.newCode()}`,
    tokenFile,
    close: async () => {
      isClosing = true;
      clearTimeout(timer);
      app.live.close();
      await passing;
      await post?.close();
      await closeAll();
    },
  };
}

/** A file that only its owner can read, with a token of role admin. */
async function ensureTokenFile(path: string, ensure: (token: string) => Promise<void>): Promise<string> {
  if (!existsSync(path)) writeFileSync(path, `mr_${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  chmodSync(path, 0o600);
  await ensure(readFileSync(path, 'utf8').trim());
  return path;
}
