/** `serve`: schedules, runs and monitors the workflows of the current folder until it is stopped. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../model/errors.js';
import { parseDuration } from '../text/quantities.js';
import { debugOptions, runsFrom, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';

const value = { type: 'string', requiresArg: true } as const;
const HOME = '.millrace/server';
const DEFAULT_PORT = 4747;
const DEFAULT_KEEP = '90d';
const DEFAULT_LEASE = '15s';
const LEAST_LEASE_MS = 2000;
const MOST_LEASE_MS = 600_000;

export const serveCommand: Command = {
  name: 'serve',
  description: 'Schedule, run and monitor workflows: one process with a store, an API and a dashboard',
  options: {
    port: { ...value, describe: `The port; 0 selects a free one (default: ${DEFAULT_PORT})` },
    host: { ...value, describe: 'The address to listen on (default: 127.0.0.1, this machine only)' },
    'allow-host': {
      ...value,
      array: true,
      describe:
        'A name, with its port, under which browsers may also reach the server: flows.example.org:4747. Repeatable',
    },
    'max-runs': { ...value, describe: 'The most runs at work at once (default: one per core)' },
    pool: {
      ...value,
      array: true,
      describe: 'A pool of places that runs hold, and its size: warehouse=2 (`serving.pools`). Repeatable',
    },
    alert: {
      ...value,
      describe: 'Where alerts go: an address of http or https that accepts a POST, or a command that reads JSON',
    },
    store: {
      ...value,
      describe:
        'The store: a file, or postgres://… for several servers (default: .millrace/server/state.db, or MILLRACE_STORE)',
    },
    lease: {
      ...value,
      describe: 'With several servers: how long one may be silent before the others replace it (default: 15s)',
    },
    keep: { ...value, describe: 'How long runs that have ended are kept: 30d, or forever (default: 90d)' },
    ...runsOptions,
    ...debugOptions,
  },
  run: async (args, context) => {
    const port = args.wholeNumber('port', 0, 65_535) ?? DEFAULT_PORT;
    const maxRuns = args.wholeNumber('max-runs', 1, 1000) ?? availableParallelism();
    const store = args.text('store') ?? process.env['MILLRACE_STORE'];
    if (store !== undefined) context.secrets.addText(store);
    // A server makes little garbage at once, and otherwise the heap for it grows to 48 MB, which it keeps.
    setFlagsFromString('--semi-space-growth-factor=1');
    const [{ startServer }, { isDatabase }] = await Promise.all([
      import('../server/server.js'),
      import('../server/store/open-store.js'),
    ]);
    const say = (error: unknown): void => {
      process.stderr.write(`${explainError(error, args.flag('debug'), context.secrets)}\n`);
    };
    let lose: (error: unknown) => void = () => undefined;
    const lost = new Promise<unknown>((resolve) => {
      lose = resolve;
    });
    const server = await startServer({
      folder: process.cwd(),
      runs: resolve(runsFrom(args)),
      home: resolve(HOME),
      host: args.text('host') ?? '127.0.0.1',
      port,
      allowedHosts: args.texts('allow-host').map((name) => name.toLowerCase()),
      maxRuns,
      pools: poolsOf(args.texts('pool')),
      store: store === undefined || isDatabase(store) ? store : resolve(store),
      leaseMs: leaseFrom(args.text('lease') ?? DEFAULT_LEASE),
      alert: args.text('alert'),
      keepMs: keepFrom(args.text('keep') ?? DEFAULT_KEEP),
      environment: process.env,
      script: fileURLToPath(new URL('../cli.js', import.meta.url)),
      pages: fileURLToPath(new URL('../dashboard/', import.meta.url)),
      onError: say,
      onNews: (text) => {
        process.stderr.write(`${text}\n`);
      },
      onLost: lose,
    });
    process.stdout.write(`${server.signInUrl}\n`);
    process.stderr.write(
      `The address opens the dashboard once, within ten minutes. Later: ${server.url} with the token in ${server.tokenFile}\n`,
    );
    const stopped = stopSignal();
    const loss = await Promise.race([stopped.then(() => undefined), lost]);
    await server.close();
    if (loss === undefined) {
      process.stderr.write('The server has stopped. Runs that are at work go on; the next server adopts them\n');
      return EXIT.success;
    }
    say(loss);
    return EXIT.failed;
  },
};

/** `['warehouse=2']` as a map of sizes. */
function poolsOf(words: readonly string[]): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const word of words) {
    const [, name, size] = /^([A-Za-z0-9][\w.-]{0,63})=([1-9]\d{0,4})$/.exec(word) ?? [];
    if (name === undefined || size === undefined || sizes.has(name)) {
      throw new MillraceError(
        'MILLRACE_USAGE',
        `Expected --pool to be a name and a size from 1, such as warehouse=2, once for each name, got '${word}'`,
      );
    }
    sizes.set(name, Number(size));
  }
  return sizes;
}

/** The time for which runs are kept, in milliseconds; undefined for ever. */
function keepFrom(text: string): number | undefined {
  if (text === 'forever') return undefined;
  const keepMs = parseDuration(text) ?? 0;
  if (keepMs > 0) return keepMs;
  throw new MillraceError(
    'MILLRACE_USAGE',
    `Expected --keep to be a length of time such as 30d, or 'forever', got '${text}'`,
  );
}

/** The length of a lease in milliseconds. */
function leaseFrom(text: string): number {
  const leaseMs = parseDuration(text) ?? 0;
  if (leaseMs >= LEAST_LEASE_MS && leaseMs <= MOST_LEASE_MS) return leaseMs;
  throw new MillraceError('MILLRACE_USAGE', `Expected --lease to be a time from 2s to 10m, got '${text}'`);
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
}
