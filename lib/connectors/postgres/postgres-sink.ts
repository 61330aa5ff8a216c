/**
 * A table of PostgreSQL as a sink, written in batches, with the progress of the run in the same transaction.
 *
 * Guarantees: those of `TransactionalSink`. A row is visible as soon as its batch is committed, which is before the run
 * ends.
 */
import { checkOptions, connectorSink, oneOf, type OptionRules, type Task, taskOptionsOf } from '../../connect/index.js';
import { identifier } from '../sql/identifiers.js';
import { checkKey, TABLE_RULES, type SqlValue, type TableOptions } from '../sql/table-options.js';
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
export type PostgresValue = SqlValue;

/** Options of `postgresSink`: the table, its columns, and how rows are written. */
export interface PostgresSinkOptions<In, Column extends string> extends TableOptions<In, Column> {
  /** A URL, or its parts. Default: the environment variables of PostgreSQL, such as PGHOST. */
  readonly connection?: string | PostgresConnection;
  /** The schema of the table. Default: the search path of the user. */
  readonly schema?: string;
  /**
   * 'insert' (default) adds rows; 'upsert' replaces the row with the same `key`, or adds it; 'copy' adds rows by COPY,
   * which is the fastest. COPY does not work for views and for tables with row security, for which 'copy' inserts.
   */
  readonly mode?: PostgresMode;
  /**
   * The time in milliseconds for which a write is repeated while the server is away, or asks for a repetition
   * (serialization failures, deadlocks). After it, the run fails and can be resumed. Default 60,000.
   */
  readonly retryForMs?: number;
}

const RULES: OptionRules<PostgresSinkOptions<unknown, string>> = {
  ...TABLE_RULES,
  connection: postgresConnection,
  schema: identifier,
  mode: oneOf('insert', 'upsert', 'copy'),
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
    checkKey('a postgresSink', mode, { key, columns });
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
