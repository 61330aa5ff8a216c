/** The options that the sinks of SQL tables share, whatever the database. */
import {
  callback,
  flag,
  MillraceError,
  number,
  TASK_RULES,
  type OptionRules,
  type TaskOptions,
} from '../../connect/index.js';
import { identifier, identifiers } from './identifiers.js';

/** A value that a column may represent. */
export type SqlValue = string | number | bigint | boolean | Date | Uint8Array | object | null | undefined;

/** Options of a sink of a table. */
export interface TableOptions<In, Column extends string> extends TaskOptions<In, In> {
  /** The table, which exists. */
  readonly table: string;
  /** The columns that are written. Others get their defaults. */
  readonly columns: readonly Column[];
  /** The fields of a record. Default: the record's own properties. A field that is missing is NULL. */
  readonly row?: (record: In) => { readonly [Key in Column]: SqlValue };
  /** For 'upsert': the columns of a primary key or a unique index. */
  readonly key?: readonly Column[];
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
  /** The time for which a write is repeated, in milliseconds. After it, the run fails and can be resumed. Default 60,000. */
  readonly retryForMs?: number;
}

export const TABLE_RULES: OptionRules<TableOptions<unknown, string>> = {
  ...TASK_RULES,
  table: identifier,
  columns: identifiers,
  row: callback,
  key: identifiers,
  ordered: flag,
  retryForMs: number(0),
};

/** Throws MILLRACE_INVALID_OPTION if `key` does not fit the mode or the columns. */
export function checkKey(
  of: string,
  mode: string,
  { key = [], columns }: Pick<TableOptions<never, string>, 'key' | 'columns'>,
): void {
  const problem =
    mode === 'upsert' && key.length === 0
      ? `\`key\` of ${of} with mode 'upsert' to name the columns of a unique key`
      : mode !== 'upsert' && key.length > 0
        ? `\`key\` of ${of} with mode '${mode}' to be left out: only 'upsert' uses it`
        : key.some((column) => !columns.includes(column))
          ? `\`key\` of ${of} to name some of \`columns\``
          : undefined;
  if (problem === undefined) return;
  throw new MillraceError('MILLRACE_INVALID_OPTION', `Expected ${problem}, got [${key.join(', ')}]`);
}
