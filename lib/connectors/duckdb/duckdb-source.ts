/**
 * The rows of a query of DuckDB as a source, streamed chunk by chunk.
 *
 * Guarantees: memory of this process does not depend on the number of rows; DuckDB's own memory depends on the query,
 * and it moves large sorts and aggregates to disk. With a `keyset`, a resumed run continues after the last key.
 */
import {
  checkOptions,
  connectorSource,
  either,
  holdClock,
  SOURCE_RULES,
  standardSchema,
  text,
  words,
  type ConnectorContext,
  type Dataset,
  type Json,
  type OptionRules,
  type Rejected,
  type RunOutcome,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceRead,
  type SourceTask,
  type TouchedFile,
  taskOptionsOf,
} from '../../connect/index.js';
import { identifiers } from '../sql/identifiers.js';
import { keysetQuery } from '../sql/keyset.js';
import { checkResumable, identityOfQuery, nameOfQuery, parameters, recordOfRow } from '../sql/query.js';
import { assertDuckdb, duckdbPackage } from './duckdb-package.js';
import { DuckdbSession, type ChunkReader } from './duckdb-session.js';
import { duckdbFiles, InputFiles, type DuckdbFiles } from './input-files.js';
import { KeyReader, type Key } from './key-reader.js';
import { parameterValue } from './parameter-values.js';
import { rowMaker, type DuckdbFields } from './row-chunks.js';

/** Options of `duckdbSource`: the query, its files, and how its rows become records. */
export interface DuckdbSourceOptions<Out> extends SourceOptions<Out> {
  /** One SELECT, with `$1`, `$2`, … for its parameters. */
  readonly sql: string;
  /**
   * The files that the query reads: each name is a table in it. They are part of the identity of the input, so a
   * resumed run refuses files that have changed. Files that are named only in the text of the query are not part of it.
   */
  readonly files?: DuckdbFiles;
  /** The values of the parameters: null, booleans, numbers, bigints, texts, Dates and bytes. */
  readonly params?: readonly unknown[];
  /**
   * Columns of the result that are different in each row and never NULL, such as those of a GROUP BY. The rows come in
   * the order of these columns, and a resumed run continues after the last row. Without it, a run cannot be resumed.
   */
  readonly keyset?: readonly string[];
  /** Statements that are executed first, for settings, macros, attached databases and extensions. */
  readonly setup?: string | readonly string[];
  /**
   * Types the fields of a row. The result of the validation is the record. Default: the values that the table in the
   * guide lists.
   */
  readonly schema?: Schema<Out>;
}

const RULES: OptionRules<DuckdbSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  sql: text,
  files: duckdbFiles,
  params: parameters,
  keyset: identifiers,
  setup: either(text, words),
  schema: standardSchema,
};

/**
 * Reads the rows of a query over CSV, JSON and Parquet files, one record per row. The failure policy ends a row that
 * does not fit the schema. Throws MILLRACE_INVALID_OPTION for options that do not fit, and MILLRACE_MISSING_PACKAGE
 * without @duckdb/node-api. A run fails with MILLRACE_SQL if DuckDB refuses the query or a value in a file, or if the
 * keyset is not unique.
 *
 * @example duckdbSource({ sql: 'SELECT city, count(*) AS members FROM m GROUP BY city', files: { m: 'in/*.csv' },
 *   keyset: ['city'] })
 */
export function duckdbSource<Out = DuckdbFields>(options: DuckdbSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a duckdbSource', options, RULES, ['sql']);
  assertDuckdb();
  return connectorSource(new DuckdbSource(options), taskOptionsOf(options));
}

/** A query of DuckDB as a `Source`. `duckdbSource` makes a task of it. */
export class DuckdbSource<Out> implements Source<Out> {
  readonly kind = 'duckdb source';
  readonly checkpointFormat = 'duckdb source';
  private readonly options: DuckdbSourceOptions<Out>;
  private readonly inputs: InputFiles;
  private session: DuckdbSession | undefined;

  constructor(options: DuckdbSourceOptions<Out>) {
    this.options = options;
    this.inputs = new InputFiles(options.files ?? {});
  }

  get dataset(): Dataset {
    return { namespace: 'duckdb', name: nameOfQuery(this.query) };
  }

  files(): readonly TouchedFile[] {
    return this.inputs.touched();
  }

  async identify(): Promise<Json> {
    return { query: identityOfQuery(this.query), setup: this.setup.join(';\n'), files: await this.inputs.identify() };
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    checkResumable(this.query, context);
    const position = past?.position as { readonly lineage: number; readonly key: Key } | undefined;
    const rows = await holdClock(context.clock, this.beginQuery(context, position?.key));
    return [new RowsOfQuery(rows, this.options, context, position)];
  }

  async close(_outcome: RunOutcome): Promise<void> {
    await this.session?.close();
    this.session = undefined;
  }

  private async beginQuery({ task, signal }: ConnectorContext, key: Key | undefined): Promise<OpenQuery> {
    const { keyset = [], params = [] } = this.options;
    const of = `The query of '${task}'`;
    const session = await DuckdbSession.open(signal);
    this.session = session;
    for (const statement of this.setup) await session.run(`The \`setup\` of '${task}'`, statement);
    await this.inputs.open(session, `'${task}'`);
    const values = params.map((value, i) => parameterValue(value, `Parameter ${i + 1} of '${task}'`));
    const { VARCHAR } = duckdbPackage();
    const reader = await session.query(
      of,
      keysetQuery({
        query: this.options.sql,
        keyset,
        isContinued: key !== undefined,
        parameter: (index) => `CAST($${params.length + index + 1} AS ${key?.[index]?.type ?? 'VARCHAR'})`,
      }),
      [...values, ...(key ?? []).map((part) => ({ value: part.text, type: VARCHAR }))],
    );
    return { session, reader, inputs: this.inputs };
  }

  private get query(): { readonly query: string } & DuckdbSourceOptions<Out> {
    return { ...this.options, query: this.options.sql };
  }

  private get setup(): readonly string[] {
    const { setup = [] } = this.options;
    return typeof setup === 'string' ? [setup] : setup;
  }
}

/** A query that was started. */
interface OpenQuery {
  readonly session: DuckdbSession;
  readonly reader: ChunkReader;
  readonly inputs: InputFiles;
}

class RowsOfQuery<Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: number;
  private readonly query: OpenQuery;
  private readonly schema: Schema<Out> | undefined;
  private readonly context: ConnectorContext;
  private readonly makeRows: ReturnType<typeof rowMaker>;
  private readonly keys: KeyReader | undefined;
  private rows: readonly DuckdbFields[] = [];
  private at = 0;
  private next: number;

  constructor(
    query: OpenQuery,
    { keyset, schema }: DuckdbSourceOptions<Out>,
    context: ConnectorContext,
    position: { readonly lineage: number; readonly key: Key } | undefined,
  ) {
    const { columns } = query.reader;
    this.query = query;
    this.schema = schema;
    this.context = context;
    this.makeRows = rowMaker(query.reader, `The query of '${context.task}'`);
    this.keys = keyset && new KeyReader({ task: context.task, keyset, columns, last: position?.key });
    this.from = this.next = position?.lineage ?? 0;
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    if (this.at === this.rows.length && !(await holdClock(this.context.clock, this.fetch()))) return null;
    const rows = this.rows.slice(this.at, this.at + max);
    this.at += rows.length;
    this.next += rows.length;
    const { task } = this.context;
    const records: (Out | Rejected)[] = rows.map((row) => recordOfRow(this.schema, row, task));
    const key = this.keys?.keyOf(this.at - 1);
    return { records, ...(key === undefined ? {} : { position: { lineage: this.next, key: [...key] } }) };
  }

  async close(): Promise<void> {
    await holdClock(this.context.clock, this.query.session.close());
  }

  /** Fetches the next chunk. Resolves with false at the end. */
  private async fetch(): Promise<boolean> {
    const chunk = await this.query.reader.next();
    if (chunk === null) {
      await this.query.inputs.assertUnchanged();
      return false;
    }
    this.keys?.accept(chunk);
    this.rows = this.makeRows(chunk);
    this.at = 0;
    return true;
  }
}
