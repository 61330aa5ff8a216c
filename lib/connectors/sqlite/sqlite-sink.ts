/**
 * A table of a SQLite file as a sink, written in batches, with the progress of the run in the same transaction.
 *
 * Guarantees: those of `TransactionalSink`. A row is visible as soon as its batch is committed, which is before the run
 * ends.
 */
import { resolve } from 'node:path';
import {
  checkOptions,
  connectorSink,
  oneOf,
  text,
  type OptionRules,
  type Task,
  taskOptionsOf,
} from '../../connect/index.js';
import { checkKey, TABLE_RULES, type SqlValue, type TableOptions } from '../sql/table-options.js';
import { TransactionalSink } from '../sql/transactional-sink.js';
import { SqliteTable, type SqliteMode, type SqliteRow } from './sqlite-table.js';

/** A value that a column can represent. Booleans become 1 and 0, dates text in UTC, objects and lists JSON. */
export type SqliteValue = SqlValue;

/** Options of `sqliteSink`: the file, the table, its columns, and how rows are written. */
export interface SqliteSinkOptions<In, Column extends string> extends TableOptions<In, Column> {
  /** The path of the file. */
  readonly path: string;
  /** 'insert' (default) adds rows; 'upsert' replaces the row with the same `key`, or adds it. */
  readonly mode?: SqliteMode;
  /** How long a write waits for other processes that write to the file, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
}

const RULES: OptionRules<SqliteSinkOptions<unknown, string>> = {
  ...TABLE_RULES,
  path: text,
  mode: oneOf('insert', 'upsert'),
};

/**
 * Writes one row per record, up to 512 in a transaction, which also stores the progress of the run: each row is in the
 * table once, also across crashes. The failure policy ends a row that SQLite refuses; the others are written. Throws
 * MILLRACE_INVALID_OPTION for options that do not fit. A run fails with MILLRACE_SQL if the table or a column does not
 * exist.
 *
 * @example sqliteSink({ path: 'shop.db', table: 'offers', columns: ['id', 'offer'], mode: 'upsert', key: ['id'] })
 */
export function sqliteSink<In, const Column extends string>(options: SqliteSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a sqliteSink', options, RULES, ['path', 'table', 'columns']);
  return connectorSink(new SqliteSink(options), taskOptionsOf(options));
}

/** A table of a SQLite file as a `Sink`. `sqliteSink` makes it a task. */
export class SqliteSink<In, Column extends string> extends TransactionalSink<In, SqliteRow> {
  /** Throws MILLRACE_INVALID_OPTION if `key` and `mode` do not fit. */
  constructor(options: SqliteSinkOptions<In, Column>) {
    const { path, table, columns, mode = 'insert', key = [] } = options;
    checkKey('a sqliteSink', mode, { key, columns });
    super({
      kind: 'sqlite sink',
      dataset: { namespace: 'sqlite', name: `${resolve(path)}/${table}`, fields: columns },
      row: options.row,
      retryForMs: options.retryForMs,
      replaces: mode === 'upsert',
      tableOf: ({ task }) => new SqliteTable({ path, table, columns, mode, key, task }),
    });
  }
}
