/**
 * A table of a SQLite file as a sink, written in batches, with the progress of the run in the same transaction.
 *
 * Guarantees: those of `TransactionalSink`. A row is visible as soon as its batch is committed, which is before the run
 * ends.
 */
import { resolve } from 'node:path';
import {
  callback,
  checkOptions,
  connectorSink,
  flag,
  MillraceError,
  number,
  oneOf,
  TASK_RULES,
  text,
  type OptionRules,
  type Task,
  type TaskOptions,
  taskOptionsOf,
} from '../../connect/index.js';
import { identifier, identifiers } from '../sql/identifiers.js';
import { TransactionalSink } from '../sql/transactional-sink.js';
import { SqliteTable, type SqliteMode, type SqliteRow } from './sqlite-table.js';

/** A value that a column can represent. Booleans become 1 and 0, dates text in UTC, objects and lists JSON. */
export type SqliteValue = string | number | bigint | boolean | Date | Uint8Array | object | null | undefined;

/** Options of `sqliteSink`: the file, the table, its columns, and how rows are written. */
export interface SqliteSinkOptions<In, Column extends string> extends TaskOptions<In, In> {
  /** The path of the file. */
  readonly path: string;
  /** The table, which exists. */
  readonly table: string;
  /** The columns that are written. Others get their defaults. */
  readonly columns: readonly Column[];
  /** The fields of a record. Default: the record's own properties. A field that is missing is NULL. */
  readonly row?: (record: In) => { readonly [Key in Column]: SqliteValue };
  /** 'insert' (default) adds rows; 'upsert' replaces the row with the same `key`, or adds it. */
  readonly mode?: SqliteMode;
  /** For 'upsert': the columns of a primary key or a unique index. */
  readonly key?: readonly Column[];
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
  /** How long a write waits for other processes that write to the file, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
}

const RULES: OptionRules<SqliteSinkOptions<unknown, string>> = {
  ...TASK_RULES,
  path: text,
  table: identifier,
  columns: identifiers,
  row: callback,
  mode: oneOf('insert', 'upsert'),
  key: identifiers,
  ordered: flag,
  retryForMs: number(0),
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
    if ((mode === 'upsert') !== key.length > 0 || key.some((column) => !columns.includes(column))) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`key\` of a sqliteSink to name some of \`columns\` with mode 'upsert', and to be left out otherwise, got [${key.join(', ')}] with mode '${mode}'`,
      );
    }
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
