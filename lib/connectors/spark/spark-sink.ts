/**
 * A table of Spark as a sink: each write is a partition of the table, named by the run and by the first of its records.
 *
 * Guarantees: each row is in the table once. A write whose end is unknown is repeated and replaces itself. A resumed
 * run first cancels the statements of the incarnation that died and waits for their end; then it reads which records
 * have rows in the table. The failure policy ends the record of a row that Spark refuses, without other records.
 */
import { createHash } from 'node:crypto';
import {
  callback,
  checkOptions,
  connectorSink,
  count,
  MillraceError,
  number,
  TASK_RULES,
  taskOptionsOf,
  text,
  fieldsOfRow,
  UnseenColumns,
  type ConnectorContext,
  type Dataset,
  type OptionRules,
  type RefusedRow,
  type RunOutcome,
  type Sink,
  type StoredRows,
  type SinkPast,
  type SinkRows,
  type Task,
  type TaskOptions,
} from '../../connect/index.js';
import { columnTypes } from '../sql/identifiers.js';
import { isolateRows } from '../sql/isolate-rows.js';
import { refusedRow } from '../sql/sql-errors.js';
import { StoredRecords } from '../sql/stored-records.js';
import { rowJson } from './row-json.js';
import { SinkSession } from './sink-session.js';
import { quoted } from './spark-cursor.js';
import { reportOf } from './spark-errors.js';
import { addressOf, hideToken, sparkConnectionRules, type SparkConnection } from './spark-remote.js';
import { DEFAULT_NO_PROGRESS_MS } from './spark-source.js';

/** Options of `sparkSink`: the table, its columns, and how a record becomes a row. */
export interface SparkSinkOptions<In, Column extends string> extends TaskOptions<In, In>, SparkConnection {
  /** The table, such as `offers` or `shop.offers`. It is created if it does not exist, as Parquet files. */
  readonly table: string;
  /** The columns with their types in Spark: `{ id: 'BIGINT', tags: 'ARRAY<STRING>' }`. */
  readonly columns: { readonly [Key in Column]: string };
  /** The fields of a record. Default: the record's own properties. */
  readonly row?: (record: In) => { readonly [Key in Column]?: unknown };
  /** The time for which the sink waits for a server that is away, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
  /** How long a write may run without any task of Spark beginning or ending, in milliseconds. Default 1,800,000. */
  readonly noProgressMs?: number;
}

const RULES: OptionRules<SparkSinkOptions<unknown, string>> = {
  ...TASK_RULES,
  ...sparkConnectionRules,
  table: text,
  columns: columnTypes,
  row: callback,
  retryForMs: number(0),
  noProgressMs: count(),
};

/** The columns that the sink adds to a table: two that name a partition, and the record of a row. */
const RUN = 'millrace_run';
const BATCH = 'millrace_batch';
const RECORD = 'millrace_record';
const RECORD_TYPE = 'STRUCT<root: STRING, part: INT, number: BIGINT, name: STRING>';

/** A statement accepts no further row once its JSON has this many characters. */
const MOST_CHARACTERS = 16 * 2 ** 20;

/**
 * Writes one row per record, in statements of as many rows as the window has. If Spark refuses a row, the failure
 * policy ends its record. Throws MILLRACE_INVALID_OPTION for options that do not fit. A run fails with MILLRACE_SQL if
 * the table cannot be written, with MILLRACE_NETWORK if the server stays away, and with MILLRACE_TIMEOUT without
 * progress.
 *
 * @example sparkSink({ remote: 'sc://spark:15002', table: 'offers', columns: { id: 'BIGINT', offer: 'STRING' } })
 */
export function sparkSink<In, const Column extends string>(options: SparkSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a sparkSink', options, RULES, ['remote', 'table', 'columns']);
  return connectorSink(new SparkSink(options), taskOptionsOf(options));
}

/** A table of Spark as a `Sink`. `sparkSink` makes a task of it. */
export class SparkSink<In, Column extends string> implements Sink<In, string> {
  readonly kind = 'spark sink';
  readonly checkpointFormat = 'spark sink';
  private readonly options: SparkSinkOptions<In, Column>;
  private readonly columns: readonly string[];
  private unseen = new UnseenColumns([]);
  private opened: { readonly context: ConnectorContext; readonly session: SinkSession } | undefined;
  private readonly stop = (): void => {
    this.opened?.session.cancel();
  };

  /** Throws MILLRACE_INVALID_OPTION if `remote` is no address, or if a column has a name of this package. */
  constructor(options: SparkSinkOptions<In, Column>) {
    addressOf(options);
    this.options = options;
    this.columns = Object.keys(options.columns);
    const foreign = this.columns.find((name) => /^millrace_/i.test(name));
    if (foreign !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`columns\` of a sparkSink to have names of your own, got '${foreign}': names with millrace_ are for the progress`,
      );
    }
  }

  get dataset(): Dataset {
    const { table } = this.options;
    return { namespace: 'spark', name: `${addressOf(this.options).target}/${table}`, fields: this.columns };
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<StoredRows> {
    const { retryForMs, noProgressMs = DEFAULT_NO_PROGRESS_MS } = this.options;
    hideToken(this.options, context.secrets);
    this.unseen = new UnseenColumns(this.columns, past);
    context.signal.addEventListener('abort', this.stop);
    const of = `Table ${this.options.table} of '${context.task}'`;
    const session = new SinkSession(this.options, of, context, { retryForMs, noProgressMs });
    this.opened = { context, session };
    await session.begin();
    const own = this.types((name, type) => `${quoted(name)} ${type}`);
    await session.execute(
      `CREATE TABLE IF NOT EXISTS ${this.table} (${own}, ${RECORD} ${RECORD_TYPE}, ${RUN} STRING, ${BATCH} STRING) USING parquet PARTITIONED BY (${RUN}, ${BATCH})`,
    );
    const stored = new StoredRecords();
    if (past?.isAnew === true) await this.removeRows();
    else if (past !== undefined) await this.readProgress(stored);
    session.opened();
    return { has: (id) => stored.has(id) };
  }

  encode(record: In): string {
    const { row } = this.options;
    const fields = fieldsOfRow(row === undefined ? record : row(record), this.context.task);
    this.unseen.look(fields);
    return rowJson(fields, this.columns);
  }

  async write(rows: SinkRows<string>): Promise<readonly RefusedRow[]> {
    const refused: RefusedRow[] = [];
    for (let from = 0; from < rows.rows.length;) {
      let to = from;
      for (let size = 0; to < rows.rows.length && (to === from || size < MOST_CHARACTERS); to++) {
        size += rows.rows[to]?.length ?? 0;
      }
      refused.push(...(await this.writeSome(rows, from, to)));
      from = to;
    }
    return refused;
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    if (outcome === 'completed' && opened !== undefined) this.unseen.report(opened.context);
    opened?.context.signal.removeEventListener('abort', this.stop);
    await opened?.session.end();
  }

  private get context(): ConnectorContext {
    return this.use().context;
  }

  private get session(): SinkSession {
    return this.use().session;
  }

  private use(): { readonly context: ConnectorContext; readonly session: SinkSession } {
    if (this.opened === undefined) throw new TypeError('The sink is not open');
    return this.opened;
  }

  /** The name of this sink in the table, the same in all incarnations of a run. */
  private get run(): string {
    const { runId, task } = this.context;
    return `${runId} ${task}`;
  }

  private get table(): string {
    return this.options.table.split('.').map(quoted).join('.');
  }

  private types(toText: (name: string, type: string) => string): string {
    return Object.entries<string>(this.options.columns)
      .map(([name, type]) => toText(name, type))
      .join(', ');
  }

  /** Removes the rows of earlier incarnations: their partitions are overwritten with nothing. */
  private async removeRows(): Promise<void> {
    const nothing = this.types((_, type) => `CAST(NULL AS ${type})`);
    await this.session.execute(
      `INSERT OVERWRITE TABLE ${this.table} PARTITION (${RUN} = ${literal(this.run)}, ${BATCH}) ` +
        `SELECT ${nothing}, CAST(NULL AS ${RECORD_TYPE}), '' WHERE false`,
      { overwrites: 'run' },
    );
  }

  /** The records that the rows of the run belong to: ranges of numbers, and names. */
  private async readProgress(stored: StoredRecords): Promise<void> {
    const { run, session } = this;
    const own = `SELECT ${RECORD}.root, ${RECORD}.part, ${RECORD}.number AS n, ${RECORD}.name FROM ${this.table} WHERE ${RUN} = :run`;
    const islands = `SELECT *, n - row_number() OVER (PARTITION BY root, part ORDER BY n) AS island FROM (${own}) WHERE name IS NULL`;
    const ranges = await session.execute(
      `SELECT root, part, min(n) AS first, max(n) + 1 AS past FROM (${islands}) GROUP BY root, part, island`,
      { args: { run } },
    );
    for (const { root, part, first, past } of ranges) {
      stored.addRange(String(root), Number(part), { first: Number(first), past: Number(past) });
    }
    const names = await session.execute(`SELECT root, part, name FROM (${own}) WHERE name IS NOT NULL`, {
      args: { run },
    });
    for (const { root, part, name } of names) stored.addName(String(root), Number(part), String(name));
  }

  private async writeSome(given: SinkRows<string>, from: number, to: number): Promise<readonly RefusedRow[]> {
    const whole = await this.tryWrite(given, from, to);
    if (whole === undefined) return [];
    const refused =
      to - from === 1
        ? [{ row: 0, error: whole.error }]
        : await isolateRows(to - from, (some, past) => this.tryWrite(given, from + some, from + past));
    return refused.map(({ row, error }) => ({
      row: from + row,
      error: refusedRow(this.session.of, reportOf(error).message, error),
    }));
  }

  /** Writes rows as one partition. Resolves with the error if Spark refuses one of them. */
  private async tryWrite(
    { root, partition: part, numbers, names, rows }: SinkRows<string>,
    from: number,
    to: number,
  ): Promise<{ readonly error: unknown } | undefined> {
    const type = `ARRAY<STRUCT<record: ${RECORD_TYPE}, fields: STRUCT<${this.types((name, one) => `${quoted(name)}: ${one}`)}>>>`;
    const items = rows.slice(from, to).map((fields, i) => {
      const record = { root, part, number: numbers[from + i], name: names?.[from + i] ?? null };
      return `{"record":${JSON.stringify(record)},"fields":${fields}}`;
    });
    // A stored record is never the first one of a later write, so no write replaces rows of another one.
    const first = [root, part, names === undefined ? numbers[from] : (names[from] as string)];
    const batch = createHash('sha256').update(JSON.stringify(first)).digest('hex').slice(0, 32);
    const fields = this.types((name) => `item.fields.${quoted(name)}`);
    try {
      await this.session.execute(
        `INSERT OVERWRITE TABLE ${this.table} PARTITION (${RUN} = ${literal(this.run)}, ${BATCH}) ` +
          `SELECT ${fields}, item.record, '${batch}' ` +
          `FROM (SELECT explode(from_json(:rows, ${literal(type)}, map('mode', 'FAILFAST'))) AS item)`,
        { args: { rows: `[${items.join(',')}]` } },
      );
      return undefined;
    } catch (error) {
      const { cause } = error as { readonly cause?: unknown };
      if (cause !== undefined && reportOf(cause).failure === 'row') return { error: cause };
      throw error;
    }
  }
}

/** A text as a literal of Spark, which reads escapes in texts. */
function literal(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
