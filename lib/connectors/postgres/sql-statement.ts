/**
 * A statement of PostgreSQL per record, as a task.
 *
 * Guarantees: values are parameters. A statement that the server has rolled back is repeated. After a lost connection
 * it is unknown whether the statement was executed, and it is repeated too: at least once. When the run is cancelled,
 * no statement holds up its end.
 */
import type { ClientBase, Pool as PostgresPool, PoolClient } from 'pg';
import {
  callback,
  checkOptions,
  CONCURRENT_RULES,
  type ConcurrentOptions,
  type OptionRules,
  type RunOutcome,
  type Task,
  type TaskScope,
} from '../../connect/index.js';
import { STATEMENT_RULES, StatementTask, type StatementFailure } from '../sql/statement-task.js';
import {
  checkConnection,
  clientConfig,
  hidePassword,
  postgresConnection,
  type PostgresConnection,
} from './postgres-connection.js';
import { describePostgres, failureOf } from './postgres-errors.js';
import { Pool } from './postgres-package.js';
import { destroyConnection, VALUE_STYLES } from './postgres-session.js';
import { typesOfQuery } from './postgres-values.js';
import { assertDifferentColumns } from '../sql/query.js';

/** Options of `sqlStatement`. */
export interface SqlStatementOptions<In, Out> extends ConcurrentOptions<In, Out> {
  /** A URL, or its parts. Default: the environment variables of PostgreSQL, such as PGHOST. */
  readonly connection?: string | PostgresConnection;
  /** One statement, with `$1`, `$2`, … for its parameters. It may be executed twice for a record: see the guide. */
  readonly sql: string;
  /** The values of the parameters for a record. Default: none. */
  readonly params?: (record: In) => readonly unknown[];
  /** Makes the output of the rows that the statement returned. Default: the record itself. */
  readonly result?: (rows: readonly Record<string, unknown>[], record: In) => Out;
  /** The most statements at a time, each on a connection of its own. Default 8. */
  readonly concurrency?: number;
  /** The milliseconds for which a statement is repeated while the server is away or asks for it. Default 60,000. */
  readonly retryForMs?: number;
}

const RULES: OptionRules<SqlStatementOptions<never, unknown>> = {
  ...CONCURRENT_RULES,
  ...STATEMENT_RULES,
  connection: postgresConnection,
  params: callback,
};

const DEFAULT_CONNECTIONS = 8;

/**
 * Executes a statement for each record and emits the record, or what `result` makes of the rows. If the server refuses
 * the values of a record, the failure policy ends the record; if it refuses the statement, the run fails with
 * MILLRACE_SQL. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example sqlStatement({ sql: 'UPDATE members SET seen = now() WHERE id = $1', params: (member: Member) => [member.id]
 *   })
 */
export function sqlStatement<In, Out = In>(options: SqlStatementOptions<In, Out>): Task<In, Out> {
  checkOptions('a sqlStatement', options, RULES, ['sql']);
  checkConnection(options.connection);
  return new SqlStatement(options);
}

class SqlStatement<In, Out> extends StatementTask<In, readonly unknown[], Record<string, unknown>, Out> {
  override readonly kind = 'postgres statement';
  private readonly query: SqlStatementOptions<In, Out>;
  private pool: PostgresPool | undefined;
  private readonly clients = new Set<PoolClient>();
  /** The server may work for hours on a statement, and `Pool.end` waits for it. */
  private readonly stop = (): void => {
    for (const client of this.clients) destroyConnection(client);
  };

  constructor(options: SqlStatementOptions<In, Out>) {
    super(options, options.concurrency ?? DEFAULT_CONNECTIONS);
    this.query = options;
  }

  override open(scope: TaskScope): void {
    const { connection, concurrency = DEFAULT_CONNECTIONS } = this.query;
    hidePassword(connection, scope.secrets);
    void super.open(scope);
    const pool = new Pool({
      ...clientConfig(connection),
      max: concurrency,
      // The pool waits for it, although its type returns nothing.
      onConnect: ((client: ClientBase) => client.query(VALUE_STYLES)) as (client: ClientBase) => void,
    });
    this.pool = pool;
    // The pool replaces an idle connection that is lost.
    pool.on('error', () => undefined);
    pool.on('connect', (client) => {
      this.clients.add(client);
      if (scope.signal.aborted) destroyConnection(client);
    });
    pool.on('remove', (client) => this.clients.delete(client));
    scope.signal.addEventListener('abort', this.stop);
  }

  override async close(_outcome: RunOutcome): Promise<void> {
    const { pool } = this;
    this.pool = undefined;
    await pool?.end();
    if (pool !== undefined) this.scope.signal.removeEventListener('abort', this.stop);
  }

  protected override valuesOf(record: In): readonly unknown[] {
    const { params } = this.query;
    return params === undefined ? [] : [...params(record)];
  }

  protected override async execute(values: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    // The extended protocol accepts one statement only, also without parameters.
    const query = { text: this.query.sql, values: [...values], types: typesOfQuery, queryMode: 'extended' };
    const { rows, fields } = await (this.pool as PostgresPool).query<Record<string, unknown>>(query as never);
    if (this.query.result !== undefined) {
      const names = fields.map(({ name }) => name);
      assertDifferentColumns(names, `The statement of '${this.scope.task}'`);
    }
    return rows;
  }

  protected override failureOf(error: unknown): StatementFailure {
    return { failure: failureOf(error, true), message: describePostgres(error) };
  }
}
