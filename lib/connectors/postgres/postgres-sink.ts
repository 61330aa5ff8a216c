/**
 * A table of PostgreSQL as a sink, written in batches, with the progress of the run in the same transaction.
 *
 * Guarantees: those of `TransactionalSink`. A row is visible as soon as its batch is committed, which is before the run
 * ends.
 */
import {
  callback,
  checkOptions,
  connectorSink,
  flag,
  MillraceError,
  number,
  oneOf,
  TASK_RULES,
  type OptionRules,
  type Task,
  type TaskOptions,
  taskOptionsOf,
} from '../../connect/index.js';
import { identifier, identifiers } from '../sql/identifiers.js';
import { TransactionalSink } from '../sql/transactional-sink.js';
import {
  checkConnection,
  datasetOf,
  hidePassword,
  postgresConnection,
  type PostgresConnection,
} from './postgres-connection.js';
import { PostgresTable, type PostgresMode, type PostgresRow } from './postgres-table.js';

/** A value that a column can represent. Objects fit json and jsonb, lists fit these and arrays. */
export type PostgresValue = string | number | bigint | boolean | Date | Uint8Array | object | null | undefined;

/** Options of `postgresSink`: the table, its columns, and how rows are written. */
export interface PostgresSinkOptions<In, Column extends string> extends TaskOptions<In, In> {
  /** A URL, or its parts. Default: the environment variables of PostgreSQL, such as PGHOST. */
  readonly connection?: string | PostgresConnection;
  /** The schema of the table. Default: the search path of the user. */
  readonly schema?: string;
  /** The table, which exists. */
  readonly table: string;
  /** The columns that are written. Others get their defaults. */
  readonly columns: readonly Column[];
  /** The fields of a record. Default: the record's own properties. A field that is missing is NULL. */
  readonly row?: (record: In) => { readonly [Key in Column]: PostgresValue };
  /**
   * 'insert' (default) adds rows; 'upsert' replaces the row with the same `key`, or adds it; 'copy' adds rows by COPY,
   * which is the fastest. COPY does not work for views and for tables with row security, for which 'copy' inserts.
   */
  readonly mode?: PostgresMode;
  /** For 'upsert': the columns of a primary key or a unique index. */
  readonly key?: readonly Column[];
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
  /**
   * The time in milliseconds for which a write is repeated while the server is away, or asks for a repetition
   * (serialization failures, deadlocks). After it, the run fails and can be resumed. Default 60,000.
   */
  readonly retryForMs?: number;
}

const RULES: OptionRules<PostgresSinkOptions<unknown, string>> = {
  ...TASK_RULES,
  connection: postgresConnection,
  schema: identifier,
  table: identifier,
  columns: identifiers,
  row: callback,
  mode: oneOf('insert', 'upsert', 'copy'),
  key: identifiers,
  ordered: flag,
  retryForMs: number(0),
};

/**
 * Writes one row per record, up to 512 in a transaction, which also stores the progress of the run: each row is in the
 * table once, also across crashes of the run and of the server. A row that the server refuses (a constraint, a value
 * that does not fit) ends by the failure policy; the others are written. Throws MILLRACE_INVALID_OPTION for options
 * that do not fit. A run fails with MILLRACE_SQL if the table or a column does not exist.
 *
 * @example postgresSink({ table: 'offers', columns: ['id', 'offer'], mode: 'upsert', key: ['id'] })
 */
export function postgresSink<In, const Column extends string>(options: PostgresSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a postgresSink', options, RULES, ['table', 'columns']);
  return connectorSink(new PostgresSink(options), taskOptionsOf(options));
}

/** A table of PostgreSQL as a `Sink`. `postgresSink` makes a task of it. */
export class PostgresSink<In, Column extends string> extends TransactionalSink<In, PostgresRow> {
  /** Throws MILLRACE_INVALID_OPTION if `connection`, `key` or `mode` do not fit. */
  constructor(options: PostgresSinkOptions<In, Column>) {
    const { connection, schema, table, columns, mode = 'insert', key = [] } = options;
    checkConnection(connection);
    checkKey(mode, key, columns);
    super({
      kind: 'postgres sink',
      dataset: datasetOf(connection, schema === undefined ? table : `${schema}.${table}`, columns),
      row: options.row,
      retryForMs: options.retryForMs,
      replaces: mode === 'upsert',
      tableOf: (context) => {
        hidePassword(connection, context.secrets);
        const { task } = context;
        const notice = (message: string): void => {
          context.notice(message);
        };
        return new PostgresTable({ connection, schema, table, columns, mode, key, task, notice });
      },
    });
  }
}

function checkKey(mode: PostgresMode, key: readonly string[], columns: readonly string[]): void {
  const problem =
    mode === 'upsert' && key.length === 0
      ? "`key` of a postgresSink with mode 'upsert' to name the columns of a unique key"
      : mode !== 'upsert' && key.length > 0
        ? `\`key\` of a postgresSink with mode '${mode}' to be left out: only 'upsert' uses it`
        : key.some((column) => !columns.includes(column))
          ? '`key` of a postgresSink to name some of `columns`'
          : undefined;
  if (problem !== undefined)
    throw new MillraceError('MILLRACE_INVALID_OPTION', `Expected ${problem}, got [${key.join(', ')}]`);
}
