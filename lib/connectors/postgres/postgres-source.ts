/**
 * The rows of a query of PostgreSQL as a source, read through a cursor.
 *
 * Guarantees: memory does not depend on the number of rows. With a `keyset`, a resumed run and a new connection
 * continue after the last key. All rows of one connection belong to one snapshot.
 */
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  holdClock,
  MillraceError,
  number,
  Rejected,
  SOURCE_RULES,
  standardSchema,
  text,
  type ConnectorContext,
  type Dataset,
  type Json,
  type OptionRules,
  type RunOutcome,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceRead,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import { assertKnownColumn, identifiers } from '../sql/identifiers.js';
import { assertKey, keysetQuery } from '../sql/keyset.js';
import { Patience } from '../sql/patience.js';
import {
  assertDifferentColumns,
  checkResumable,
  identityOfQuery,
  nameOfQuery,
  parameters,
  recordOfRow,
} from '../sql/query.js';
import { databaseAway, wrongStatement } from '../sql/sql-errors.js';
import {
  checkConnection,
  datasetOf,
  hidePassword,
  postgresConnection,
  type PostgresConnection,
} from './postgres-connection.js';
import { describePostgres, failureOf } from './postgres-errors.js';
import { PostgresSession } from './postgres-session.js';
import { parserFailed, parserOf } from './postgres-values.js';

/** A row by column name. */
export type PostgresFields = Record<string, unknown>;

/** Options of `postgresSource`: the query, and how its rows become records. */
export interface PostgresSourceOptions<Out> extends SourceOptions<Out> {
  /** A URL, or its parts. Default: the environment variables of PostgreSQL, such as PGHOST. */
  readonly connection?: string | PostgresConnection;
  /** One SELECT, with `$1`, `$2`, … for its parameters. */
  readonly query: string;
  /** The values of the parameters. */
  readonly params?: readonly unknown[];
  /**
   * Columns of the result that are different in each row and never NULL, such as the primary key. The rows come in the
   * order of these columns, and a resumed run continues after the last row. Without it, a run cannot be resumed.
   */
  readonly keyset?: readonly string[];
  /** Types the fields of a row. The result of the validation is the record. Default: the values as pg reads them. */
  readonly schema?: Schema<Out>;
  /** The number of rows per round trip to the server. Default 1,000. */
  readonly fetchRows?: number;
  /** With a `keyset`: the milliseconds for which the source tries to replace a lost connection. Default 60,000. */
  readonly retryForMs?: number;
}

const RULES: OptionRules<PostgresSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  connection: postgresConnection,
  query: text,
  params: parameters,
  keyset: identifiers,
  schema: standardSchema,
  fetchRows: count(),
  retryForMs: number(0),
};

/**
 * Reads the rows of a query, one record per row, in memory that does not depend on their number. bigint and numeric are
 * strings, as pg reads them, and so are dates; the schema converts them. The failure policy ends a row that does not
 * fit the schema. Throws MILLRACE_INVALID_OPTION for options that do not fit. A run fails with MILLRACE_SQL if the
 * server refuses the query, or if the keyset is not unique.
 *
 * @example postgresSource({ query: 'SELECT id, city FROM members WHERE city = $1', params: ['Oslo'], keyset: ['id'] })
 */
export function postgresSource<Out = PostgresFields>(options: PostgresSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a postgresSource', options, RULES, ['query']);
  return connectorSource(new PostgresSource(options), taskOptionsOf(options));
}

/** The texts of a key, as the server has sent them. */
type Key = readonly string[];

/** A query of PostgreSQL as a `Source`. `postgresSource` makes a task of it. */
export class PostgresSource<Out> implements Source<Out> {
  readonly kind = 'postgres source';
  readonly checkpointFormat = 'postgres source';
  private readonly options: PostgresSourceOptions<Out>;
  private cursor: QueryCursor | undefined;
  private signal: AbortSignal | undefined;
  private readonly stop = (): void => {
    this.cursor?.close();
  };

  /** Throws MILLRACE_INVALID_OPTION if `connection` does not fit. */
  constructor(options: PostgresSourceOptions<Out>) {
    checkConnection(options.connection);
    this.options = options;
  }

  get dataset(): Dataset {
    return datasetOf(this.options.connection, nameOfQuery(this.options));
  }

  identify(): Json {
    return { query: identityOfQuery(this.options) };
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    hidePassword(this.options.connection, context.secrets);
    checkResumable(this.options, context);
    const position = past?.position as { readonly lineage: number; readonly key: Key } | undefined;
    const cursor = new QueryCursor(this.options, context, position?.key);
    this.cursor = cursor;
    this.signal = context.signal;
    this.signal.addEventListener('abort', this.stop);
    await holdClock(context.clock, cursor.open());
    return [new RowsOfQuery(cursor, this.options, context, position?.lineage ?? 0)];
  }

  close(_outcome: RunOutcome): void {
    this.signal?.removeEventListener('abort', this.stop);
    this.cursor?.close();
  }
}

/** Reads the rows of a cursor, and makes records of them. */
class RowsOfQuery<Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: number;
  private readonly cursor: QueryCursor;
  private readonly options: PostgresSourceOptions<Out>;
  private readonly context: ConnectorContext;
  /** The number of the next row. */
  private next: number;

  constructor(cursor: QueryCursor, options: PostgresSourceOptions<Out>, context: ConnectorContext, from: number) {
    this.cursor = cursor;
    this.options = options;
    this.context = context;
    this.from = from;
    this.next = from;
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    const rows = await holdClock(this.context.clock, this.cursor.read(max));
    if (rows === null) return null;
    this.next += rows.length;
    const { keyset, schema } = this.options;
    return {
      records: rows.map(({ fields, error }) =>
        error === undefined ? recordOfRow(schema, fields, this.context.task) : new Rejected(fields, error),
      ),
      ...(keyset === undefined ? {} : { position: { lineage: this.next, key: rows.at(-1)?.key as Key } }),
    };
  }

  close(): void {
    this.cursor.close();
  }
}

interface Row {
  readonly fields: PostgresFields;
  readonly key: Key;
  /** The error of a value that could not be read; its field is then the text of the value. */
  readonly error?: MillraceError | undefined;
}

/** A column of the result. */
interface Column {
  readonly name: string;
  readonly parse: (text: string) => unknown;
}

const DEFAULT_FETCH_ROWS = 1000;

/** A cursor of the server, opened again after a lost connection. */
class QueryCursor {
  private readonly options: PostgresSourceOptions<unknown>;
  private readonly context: ConnectorContext;
  private readonly keyset: readonly string[];
  private key: Key | undefined;
  private session: PostgresSession | undefined;
  private drop: () => void = () => undefined;
  private columns: readonly Column[] = [];
  private keyAt: readonly number[] = [];
  private rows: readonly Row[] = [];
  private at = 0;
  private isOver = false;
  private isClosed = false;
  private hasConnected = false;

  constructor(options: PostgresSourceOptions<unknown>, context: ConnectorContext, after: Key | undefined) {
    this.options = options;
    this.context = context;
    this.keyset = options.keyset ?? [];
    this.key = after;
  }

  /** Connects and declares the cursor. */
  async open(): Promise<void> {
    await this.untilDone(() => this.declare());
  }

  /** Returns 1 to `max` rows, or null at the end. */
  async read(max: number): Promise<readonly Row[] | null> {
    while (this.at === this.rows.length) {
      if (this.isOver) return null;
      await this.untilDone(async () => {
        if (this.session?.isConnected !== true) await this.declare();
        await this.fetch();
      });
    }
    const rows = this.rows.slice(this.at, this.at + max);
    this.at += rows.length;
    return rows;
  }

  close(): void {
    this.isClosed = true;
    this.drop();
  }

  private async declare(): Promise<void> {
    const { query, params = [], connection } = this.options;
    this.drop();
    const session = await PostgresSession.connect(connection, !this.hasConnected, (disconnect) => {
      this.drop = disconnect;
    });
    this.session = session;
    this.hasConnected = true;
    const statement = keysetQuery({
      query,
      keyset: this.keyset,
      isContinued: this.key !== undefined,
      parameter: (index) => `$${params.length + index + 1}`,
    });
    await session.query('BEGIN READ ONLY');
    // The run may pause for a long time between two reads.
    await session.query('SET LOCAL idle_in_transaction_session_timeout = 0');
    await session.texts(`DECLARE millrace NO SCROLL CURSOR FOR ${statement}`, [...params, ...(this.key ?? [])]);
  }

  private async fetch(): Promise<void> {
    const { fetchRows = DEFAULT_FETCH_ROWS } = this.options;
    const result = await (this.session as PostgresSession).texts(`FETCH FORWARD ${fetchRows} FROM millrace`);
    if (this.columns.length === 0) {
      const names = result.fields.map(({ name }) => name);
      assertDifferentColumns(names, `The query of '${this.context.task}'`);
      for (const name of this.keyset) assertKnownColumn(`The query of '${this.context.task}'`, name, names);
      this.columns = result.fields.map(({ name, dataTypeID }) => ({ name, parse: parserOf(dataTypeID) }));
      this.keyAt = this.keyset.map((name) => names.indexOf(name));
    }
    this.rows = result.rows.map((values) => this.rowOf(values));
    this.at = 0;
    if (result.rows.length < fetchRows) {
      this.isOver = true;
      await this.session?.end();
    }
  }

  private rowOf(values: readonly (string | null)[]): Row {
    const fields: PostgresFields = {};
    let error: MillraceError | undefined;
    this.columns.forEach(({ name, parse }, i) => {
      const value = values[i] as string | null;
      fields[name] = value;
      try {
        if (value !== null) fields[name] = parse(value);
      } catch (thrown) {
        error ??= parserFailed(`The parser of column '${name}' of '${this.context.task}'`, thrown);
      }
    });
    if (this.keyset.length === 0) return { fields, key: [], error };
    const key = this.keyAt.map((at) => values[at] ?? null);
    assertKey(this.context.task, this.keyset, key, this.key);
    this.key = key as Key;
    return { fields, key: this.key, error };
  }

  /** Repeats the work after a lost connection, if the rows can be continued. */
  private async untilDone(work: () => Promise<void>): Promise<void> {
    const { context } = this;
    const patience = new Patience(context, this.options.retryForMs);
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        const of = `The query of '${context.task}'`;
        if (this.isClosed || context.signal.aborted) throw databaseAway(of, 'the run has ended', error);
        const failure = failureOf(error, this.session?.isConnected === true);
        if (failure === 'row' || failure === 'statement') throw wrongStatement(of, describePostgres(error), error);
        if (this.keyset.length === 0 && this.session !== undefined) {
          throw databaseAway(of, `${describeThrown(error)}. With a \`keyset\` it could be continued`, error);
        }
        if (!(await patience.wait())) throw databaseAway(of, describePostgres(error), error);
        this.drop();
      }
    }
  }
}
