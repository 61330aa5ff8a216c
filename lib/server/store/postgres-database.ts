/**
 * A PostgreSQL database as the database of a store.
 *
 * Guarantees: a transaction under the number of a server holds the row of the server until it ends, so it cannot be
 * committed after that server was removed; a server that stops in the middle of a transaction blocks the others for at
 * most `IDLE_MS`; a lost connection is an error of the call that needed it, and the next call connects again.
 */
import type { Pool, PoolClient, PoolConfig, QueryResult } from 'pg';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeThrown, MillraceError } from '../../model/errors.js';
import type { SqlAnswer, SqlDatabase, SqlStatement, SqlWork, TransactOptions } from './sql-database.js';
import { FENCE, removed } from './sql-servers.js';

type PostgresPackage = typeof import('pg');

/** The schema with the tables of the store. */
export const SCHEMA = 'millrace';

/** Keys of advisory locks, which are numbers in a space that all users of the database share. */
const ALONE_LOCK = 7_063_105_001;
const MIGRATION_LOCK = 7_063_105_002;

/** The types int8 and numeric, which pg returns as texts: the numbers of a store are exact as numbers. */
const NUMBERS = new Set<number>([20, 1700]);
const MOST_CONNECTIONS = 8;
const CONNECT_MS = 10_000;
const STATEMENT_MS = 30_000;
const LOCK_MS = 15_000;
/** The longest time that a transaction may wait for its server, which may have been stopped. */
const IDLE_MS = 5_000;
const MOST_ATTEMPTS = 5;
const FIRST_WAIT_MS = 20;

/** A commit that was acknowledged survives a crash, and PostgreSQL notices that the host of a server has vanished. */
const SETTINGS = `SET search_path TO ${SCHEMA};
SET statement_timeout = ${STATEMENT_MS}; SET lock_timeout = ${LOCK_MS}; SET idle_in_transaction_session_timeout = ${IDLE_MS};
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';`;

/** Serialization failures, deadlocks, and locks that were not released in time. */
const CONFLICT = /^(?:40|55P03$)/;
/** The connection was refused or ended by the server, or the server has no more connections. */
const LOST = /^(?:08|53|57P0[1-5]$|25P0[34]$)/;

/** Loads pg, an optional peer dependency. Throws MILLRACE_MISSING_PACKAGE if it is not installed. */
export function loadPostgres(): PostgresPackage {
  try {
    return createRequire(import.meta.url)('pg') as PostgresPackage;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      'A store in PostgreSQL needs pg, which is not installed. Install it: npm install pg',
      { cause: error },
    );
  }
}

export class PostgresDatabase implements SqlDatabase {
  readonly clock = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
  private readonly pool: Pool;
  private readonly prepared = new WeakSet<PoolClient>();

  constructor({ Pool: PgPool, types }: PostgresPackage, url: string) {
    const number: (text: string) => unknown = Number;
    const config: PoolConfig = {
      connectionString: url,
      max: MOST_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      // Also if the network is silent, so that no pass waits for ever.
      query_timeout: STATEMENT_MS + CONNECT_MS,
      keepAlive: true,
      application_name: 'millrace serve',
      types: {
        getTypeParser: (oid: (typeof types.builtins)['INT8'], format?: 'text') =>
          NUMBERS.has(oid) ? number : (types.getTypeParser(oid, format) as (text: string) => unknown),
      } as PoolConfig['types'] & object,
    };
    this.pool = new PgPool(config);
    // A connection that is lost while it is idle is replaced by the next call.
    this.pool.on('error', () => undefined);
  }

  read<Result>(work: () => SqlWork<Result>): Promise<Result> {
    return this.withClient((client) => execute(client, work()));
  }

  async transact<Result>(
    work: () => SqlWork<Result>,
    options: TransactOptions & { readonly isMigration?: boolean } = {},
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.withClient((client) => transactOnce(client, work, options));
      } catch (error) {
        if (attempt === MOST_ATTEMPTS || !CONFLICT.test(sqlStateOf(error))) throw error;
        await sleep(FIRST_WAIT_MS * 2 ** attempt * Math.random());
      }
    }
  }

  async changes(): Promise<number> {
    const result = await this.withClient((client) =>
      client.query<{ readonly last: number }>(
        'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM changes',
      ),
    );
    return result.rows[0]?.last ?? 0;
  }

  backUp(): Promise<void> {
    return Promise.reject(
      new MillraceError(
        'MILLRACE_USAGE',
        `The store is in PostgreSQL: back it up with pg_dump --schema=${SCHEMA}, or with the backups of the database`,
      ),
    );
  }

  async close(): Promise<void> {
    await this.pool.end();
  }

  private async withClient<Result>(work: (client: PoolClient) => Promise<Result>): Promise<Result> {
    let client: PoolClient | undefined;
    try {
      client = await this.pool.connect();
      if (!this.prepared.has(client)) {
        // A connection may be lost between two statements. Then the next one is rejected.
        client.on('error', () => undefined);
        await client.query(SETTINGS);
        this.prepared.add(client);
      }
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      // The state of the connection is known only after an error that the server itself has reported.
      client?.release(!isRefusal(error));
      throw explained(error);
    }
  }
}

async function transactOnce<Result>(
  client: PoolClient,
  work: () => SqlWork<Result>,
  { server, isAlone = false, isMigration = false }: TransactOptions & { readonly isMigration?: boolean },
): Promise<Result> {
  const lock = isMigration ? MIGRATION_LOCK : isAlone ? ALONE_LOCK : undefined;
  // The lock comes first: a transaction that removes a server holds it and waits for the rows of servers.
  const begin = [
    'BEGIN',
    ...(lock === undefined ? [] : [`SELECT pg_advisory_xact_lock(${lock})`]),
    ...(server === undefined ? [] : [`${FENCE}${server} FOR KEY SHARE`]),
  ];
  try {
    const begun = (await client.query(begin.join('; '))) as unknown as QueryResult | readonly QueryResult[];
    const last = Array.isArray(begun) ? (begun.at(-1) as QueryResult) : (begun as QueryResult);
    if (server !== undefined && last.rows.length === 0) throw removed();
    const result = await execute(client, work());
    // Counted after the commit, so a reader that sees the number also sees the change.
    await client.query(isMigration ? 'COMMIT' : "COMMIT; SELECT nextval('changes')");
    return result;
  } catch (error) {
    if (isRefusal(error)) await client.query('ROLLBACK');
    throw error;
  }
}

async function execute<Result>(client: PoolClient, work: SqlWork<Result>): Promise<Result> {
  let step = work.next();
  while (step.done !== true) step = work.next(await answerOf(client, step.value));
  return step.value;
}

async function answerOf(client: PoolClient, { text, values }: SqlStatement): Promise<SqlAnswer> {
  let place = 0;
  // Without values the simple protocol is used, which accepts several statements.
  const result = await (values.length === 0
    ? client.query(text)
    : client.query(
        text.replace(/\?/g, () => `$${++place}`),
        values.map((value) => (typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value)),
      ));
  return { rows: result.rows, changed: result.rowCount ?? 0 };
}

/** Whether the server itself has refused a statement, over a connection that still exists. */
function isRefusal(error: unknown): boolean {
  const state = sqlStateOf(error);
  return error instanceof MillraceError ? error.code !== 'MILLRACE_NETWORK' : state !== '' && !LOST.test(state);
}

/** The SQLSTATE of an error; '' for an error of the client or of the network. */
function sqlStateOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) ? code : '';
}

function explained(error: unknown): unknown {
  if (error instanceof MillraceError) return error;
  const state = sqlStateOf(error);
  const { errors } = error as { readonly errors?: readonly unknown[] };
  const why = describeThrown(errors?.[0] ?? error);
  if (state === '' || LOST.test(state)) {
    return new MillraceError('MILLRACE_NETWORK', `The database of the store cannot be reached: ${why}`, {
      cause: error,
      retryable: true,
    });
  }
  if (/^(?:28|3D|42501)/.test(state)) {
    return new MillraceError('MILLRACE_SQL', `The database of the store refuses: ${why}. Correct --store`, {
      cause: error,
    });
  }
  return error;
}
