/**
 * The rows of a query of SQLite as a source, read one by one.
 *
 * Guarantees: memory does not depend on the number of rows. With a `keyset`, a resumed run continues after the last
 * key.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  checkOptions,
  connectorSource,
  describeThrown,
  holdClock,
  MillraceError,
  type Rejected,
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
import { assertKey, keysetQuery, withoutEnd } from '../sql/keyset.js';
import {
  assertDifferentColumns,
  checkResumable,
  identityOfQuery,
  nameOfQuery,
  parameters,
  recordOfRow,
} from '../sql/query.js';
import { wrongStatement } from '../sql/sql-errors.js';
import { SharedFile } from './shared-file.js';
import type { SqliteFields, SqliteStored } from '../../storage/sqlite.js';
import { storedValue } from './sqlite-value.js';

/** Options of `sqliteSource`: the query, and how its rows become records. */
export interface SqliteSourceOptions<Out> extends SourceOptions<Out> {
  /** The path of the file. */
  readonly path: string;
  /** One SELECT, with `?1`, `?2`, … for its parameters. */
  readonly query: string;
  /** The values of the parameters. */
  readonly params?: readonly unknown[];
  /**
   * Columns of the result that are different in each row and never NULL, such as the primary key. The rows come in
   * their order, and a resumed run continues after the last one. Without it, a run cannot be resumed.
   */
  readonly keyset?: readonly string[];
  /**
   * Types the fields of a row. The result of the validation is the record. Default: the values as SQLite stores them.
   */
  readonly schema?: Schema<Out>;
}

const RULES: OptionRules<SqliteSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: text,
  query: text,
  params: parameters,
  keyset: identifiers,
  schema: standardSchema,
};

/**
 * Reads the rows of a query, one record per row, in memory that does not depend on their number. Whole numbers that a
 * number would round are bigints. The failure policy ends a row that does not fit the schema. Throws
 * MILLRACE_INVALID_OPTION for options that do not fit. A run fails with MILLRACE_SQL if SQLite refuses the query, or if
 * the keyset is not unique.
 *
 * @example
 * const query = 'SELECT id, city FROM members WHERE city = ?1';
 * sqliteSource({ path: 'shop.db', query, params: ['Oslo'], keyset: ['id'] })
 */
export function sqliteSource<Out = SqliteFields>(options: SqliteSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a sqliteSource', options, RULES, ['path', 'query']);
  return connectorSource(new SqliteSource(options), taskOptionsOf(options));
}

/** A query of SQLite as a `Source`. `sqliteSource` makes it a task. */
export class SqliteSource<Out> implements Source<Out> {
  readonly kind = 'sqlite source';
  readonly checkpointFormat = 'sqlite source';
  private readonly options: SqliteSourceOptions<Out>;
  private file: SharedFile | undefined;
  private rows: RowsOfQuery<Out> | undefined;

  constructor(options: SqliteSourceOptions<Out>) {
    this.options = options;
  }

  get dataset(): Dataset {
    return { namespace: 'sqlite', name: `${resolve(this.options.path)}/${nameOfQuery(this.options)}` };
  }

  identify(): Json {
    return { path: resolve(this.options.path), query: identityOfQuery(this.options) };
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    checkResumable(this.options, context);
    const { path } = this.options;
    if (!existsSync(path)) {
      // SQLite would make an empty file.
      throw new MillraceError(
        'MILLRACE_FILE',
        `${resolve(path)} does not exist. Correct \`path\` of '${context.task}'`,
      );
    }
    this.file = await holdClock(context.clock, SharedFile.open(path));
    const position = past?.position as { readonly lineage: number; readonly key: readonly Json[] } | undefined;
    this.rows = new RowsOfQuery(this.file, this.options, context.task, position);
    return [this.rows];
  }

  close(_outcome: RunOutcome): void {
    this.rows?.close();
    this.file?.close();
    this.file = undefined;
  }
}

class RowsOfQuery<Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: number;
  private readonly options: SqliteSourceOptions<Out>;
  private readonly task: string;
  private readonly keyset: readonly string[];
  private readonly file: SharedFile;
  /** The query as the source of another one. */
  private readonly within: string;
  private hasRead = false;
  private rows: Iterator<SqliteFields> | undefined;
  private key: readonly SqliteStored[] | undefined;
  private next: number;

  constructor(
    file: SharedFile,
    options: SqliteSourceOptions<Out>,
    task: string,
    position: { readonly lineage: number; readonly key: readonly Json[] } | undefined,
  ) {
    const { query, params = [], keyset = [] } = options;
    this.options = options;
    this.task = task;
    this.keyset = keyset;
    this.from = this.next = position?.lineage ?? 0;
    this.key = position?.key.map(ofJson);
    const parameter = (index: number): string => `?${params.length + index + 1}`;
    const isContinued = this.key !== undefined;
    const values = params.map((value, i) => storedValue(value, `Parameter ${i + 1} of '${task}'`));
    // Within a SELECT, SQLite accepts one SELECT. A statement that writes would be executed again by a resumed run.
    this.within = `FROM (\n${withoutEnd(query)}\n)`;
    this.guarded(() => file.cursor(`SELECT * ${this.within}`));
    this.file = file;
    this.rows = this.guarded(() =>
      file.cursor(keysetQuery({ query, keyset, isContinued, parameter })).iterate([...values, ...(this.key ?? [])]),
    );
  }

  read(max: number): SourceRead<Out> | null {
    const records: (Out | Rejected)[] = [];
    while (records.length < max && this.rows !== undefined) {
      const { rows } = this;
      const next = this.guarded(() => rows.next());
      if (next.done === true) this.rows = undefined;
      else records.push(this.recordOf(next.value));
    }
    if (records.length === 0) return null;
    this.next += records.length;
    const { key } = this;
    return { records, ...(key === undefined ? {} : { position: { lineage: this.next, key: key.map(toJson) } }) };
  }

  close(): void {
    this.rows?.return?.();
    this.rows = undefined;
  }

  private recordOf(fields: SqliteFields): Out | Rejected {
    const { keyset, task } = this;
    if (!this.hasRead) this.assertDifferent(Object.keys(fields));
    this.hasRead = true;
    if (keyset.length > 0) {
      if (this.key === undefined) {
        for (const name of keyset) assertKnownColumn(`The query of '${task}'`, name, Object.keys(fields));
      }
      const key = keyset.map((name) => fields[name] ?? null);
      assertKey(task, keyset, key, this.key);
      this.key = key;
    }
    return recordOfRow(this.options.schema, fields, task);
  }

  /** The packages do not list the columns of a statement, but within another one SQLite adds `:1` to a second name. */
  private assertDifferent(names: readonly string[]): void {
    const isColumn = (name: string): boolean => {
      try {
        this.file.cursor(`SELECT \`${name.replaceAll('`', '``')}\` ${this.within} LIMIT 0`);
        return true;
      } catch {
        return false;
      }
    };
    const twice = names.find((name) => !names.includes(`${name}:1`) && isColumn(`${name}:1`));
    const lost = isColumn('__proto__') ? ['__proto__'] : [];
    const all = twice === undefined ? [...names, ...lost] : [...names, twice];
    assertDifferentColumns(all, `The query of '${this.task}'`);
  }

  private guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof MillraceError) throw error;
      throw wrongStatement(`The query of '${this.task}'`, describeThrown(error), error);
    }
  }
}

/** A value of a key as JSON: whole numbers and bytes that JSON does not have, as objects. */
function toJson(value: SqliteStored): Json {
  if (typeof value === 'bigint') return { bigint: value.toString() };
  return value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('hex') } : value;
}

function ofJson(value: Json): SqliteStored {
  if (typeof value !== 'object' || value === null) return value as SqliteStored;
  const { bigint, bytes } = value as { readonly bigint?: string; readonly bytes?: string };
  return bigint === undefined ? Buffer.from(bytes ?? '', 'hex') : BigInt(bigint);
}
