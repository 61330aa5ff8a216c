/**
 * A real PostgreSQL server for specs, on a free port of the loopback interface, in a folder of its own.
 *
 * Guarantees: it never runs as root; it ends when the process that started it ends, however that happens.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** The folder with the programs of the server; undefined if it is not installed. */
const programs = findPrograms();
const account = accountOfServer();

/** The reason why no server can be started here; undefined if one can. */
export const noPostgres =
  programs === undefined
    ? 'PostgreSQL is not installed: apt-get install postgresql'
    : account === undefined
      ? 'PostgreSQL does not run as root, and there is no user postgres'
      : undefined;

const STARTS_WITHIN_MS = 60_000;

export class PostgresServer {
  readonly port: number;
  private readonly folder: string;
  private process: ChildProcess | undefined;
  private client: pg.Client | undefined;

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
  }

  /** Makes an empty server and starts it. */
  static async start(): Promise<PostgresServer> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-postgres-'));
    if (account?.uid !== undefined) chownSync(folder, account.uid, account.gid ?? 0);
    execFileSync(
      join(programs as string, 'initdb'),
      ['-D', join(folder, 'data'), '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
      { ...account, stdio: 'ignore', cwd: folder },
    );
    const server = new PostgresServer(folder, await freePort());
    await server.begin();
    return server;
  }

  /** The URL of its database. */
  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts the server again. Resolves once it accepts connections. */
  async begin(): Promise<void> {
    const settings = ['fsync=off', 'unix_socket_directories=', 'listen_addresses=127.0.0.1', 'max_connections=100'];
    const options = settings.flatMap((setting) => ['-c', setting]);
    const server = [
      join(programs as string, 'postgres'),
      '-D',
      join(this.folder, 'data'),
      '-p',
      String(this.port),
      ...options,
    ];
    // The shell ends the server when its input ends, and that ends with this process.
    const script = 'exec 3<&0; "$@" 3<&- </dev/null & server=$!; (cat <&3; kill -QUIT $server) & wait $server';
    const child = spawn('/bin/sh', ['-c', script, 'sh', ...server], {
      ...account,
      cwd: this.folder,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.process = child;
    const until = Date.now() + STARTS_WITHIN_MS;
    while (!(await this.accepts())) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended with code ${child.exitCode}`);
      if (Date.now() > until) throw new Error('PostgreSQL does not start');
      await sleep(50);
    }
  }

  /** Ends the server as a crash does: no transaction ends, and it recovers at its next start. */
  async crash(): Promise<void> {
    const { process: child } = this;
    this.process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    await ended;
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    await this.client?.end();
    await this.crash();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Executes statements, and returns the rows of the last one. Connects again after a crash. */
  async sql(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = (this.client ??= await this.connect());
    const result = (await client.query(text, [...values])) as pg.QueryResult | pg.QueryResult[];
    return (Array.isArray(result) ? result.at(-1) : result)?.rows as Record<string, unknown>[];
  }

  /** A connection of its own; the caller ends it. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
    return client;
  }

  private async accepts(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    return client.connect().then(
      async () => {
        await client.end();
        return true;
      },
      () => false,
    );
  }
}

function findPrograms(): string | undefined {
  const home = '/usr/lib/postgresql';
  const versions = existsSync(home) ? readdirSync(home).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(home, version, 'bin')), '/usr/local/bin', '/usr/bin'];
  return folders.find((folder) => ['initdb', 'postgres'].every((program) => existsSync(join(folder, program))));
}

/** The user that the server runs as: this one, or `postgres` where this one is root. Undefined if there is none. */
function accountOfServer(): { readonly uid?: number; readonly gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  try {
    const [uid, gid] = ['-u', '-g'].map((option) =>
      Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' })),
    );
    return { uid: uid as number, gid: gid as number };
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
