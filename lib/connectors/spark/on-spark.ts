/**
 * A function or an aggregate of TypeScript, executed by the executors of Spark over the rows of a query, as a source of
 * its results.
 *
 * Guarantees: the results are those of the same code in this process, to the last bit. No row is lost silently: the
 * workers count what they have read and written, and the counts are compared with the query. Calls of the function may
 * be repeated, as Spark repeats a task whose executor was lost; results are not.
 */
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import {
  anything,
  checkOptions,
  connectorSource,
  count,
  describeValue,
  either,
  flag,
  madeBy,
  MillraceError,
  referTo,
  Rejected,
  skip,
  SOURCE_RULES,
  taskOptionsOf,
  text,
  type Aggregate,
  type ConnectorContext,
  type ErrorCode,
  type Json,
  type ModuleRef,
  type OptionRule,
  type OptionRules,
  type Schema,
  type Skip,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceTask,
} from '../../connect/index.js';
import { identifier } from '../sql/identifiers.js';
import { withoutEnd } from '../sql/keyset.js';
import { identityOfQuery } from '../sql/query.js';
import type { ResultLine, TrailerLine, WorkerOrder, WorkRef } from './executor-worker.js';
import { sparkArguments, type SparkValue } from './literals.js';
import { QuerySource } from './query-source.js';
import { quoted, SparkCursor, UnreadableRow, type CursorQuery, type CursorRow, type Key } from './spark-cursor.js';
import type { SparkSession } from './spark-session.js';
import { DEFAULT_NO_PROGRESS_MS, SPARK_READ_RULES, type SparkReadOptions } from './spark-source.js';

/** Options of `onSpark`: the rows, and the place of the code. */
export interface OnSparkOptions<In, Out> extends SourceOptions<Out>, SparkReadOptions {
  /** The query whose rows are the input, with `:name` for its parameters. It must return the same rows each time. */
  readonly sql: string;
  /** The values of the parameters. */
  readonly args?: Readonly<Record<string, SparkValue>>;
  /**
   * A column of texts or integers without NULL. For an aggregate it is the key, and `key` of the aggregate returns its
   * value; for a function it is different in each row. The results come in the order of its text, and a resumed run
   * continues after the last one.
   */
  readonly key: string;
  /**
   * For an aggregate: expressions of SQL that order the rows of a key, such as `row` or `at DESC`. Default: any order.
   */
  readonly orderBy?: readonly string[];
  /**
   * Makes records of the rows, in the executors; made by `threadSchema`. A row that does not fit is a dead letter.
   * Default: the rows.
   */
  readonly schema?: Schema<In>;
  /**
   * The file of a module that exports the code and the schema and imports nothing but modules of Node, such as a
   * bundle. It is sent to the executors. Default: executors import the same files as this process, and find them in the
   * same folders.
   */
  readonly bundle?: URL | string;
  /** The command of Node on the executors. Default `node`. */
  readonly node?: string;
  /** Reads the results in this many parts, by a hash of `key`: the query is executed once per part. Default 1. */
  readonly partitions?: number;
  /** The most parts that are computed at a time. Default 2. */
  readonly concurrency?: number;
  /**
   * Whether Spark counts the rows of the query as well, to compare them with the rows that the workers have read.
   * Default true.
   */
  readonly countRows?: boolean;
}

const expressions: OptionRule = {
  expected: 'an array of expressions',
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string' && one.trim() !== ''),
};
/** The command becomes a word of a command line within a text of SQL. */
const program: OptionRule = {
  expected: 'a command or a path without blanks and quotes',
  accepts: (value) => typeof value === 'string' && /^[\w./@+-]+$/.test(value),
};

const RULES: OptionRules<OnSparkOptions<never, never>> = {
  ...SOURCE_RULES,
  ...SPARK_READ_RULES,
  sql: text,
  args: sparkArguments,
  key: identifier,
  orderBy: expressions,
  schema: anything,
  bundle: either(text, madeBy(URL, 'a URL')),
  node: program,
  partitions: count(),
  concurrency: count(),
  countRows: flag,
};

/** The work of `onSpark`: an aggregate, or a function of one record. */
export type SparkWork<In, Key, State, Out> =
  Aggregate<In, Key, State, Out> | ((record: In) => Out | Skip | Promise<Out | Skip>);

/**
 * Runs an aggregate or a function in the executors of Spark, and emits its results: one per key, or one per row. The
 * work is made by `threadAggregate`, `threadFunction` or `threadFactory`; its settings and results must be plain JSON.
 * The executors need Node. Throws MILLRACE_INVALID_OPTION for options that do not fit. A run fails as with
 * `sparkSource`, and with MILLRACE_CONSERVATION if rows or results are missing.
 *
 * @example onSpark(totals, { remote: 'sc://spark:15002', sql: 'SELECT member, amount FROM sales', key: 'member' })
 */
export function onSpark<In, Key, State, Out>(
  work: SparkWork<In, Key, State, Out>,
  options: OnSparkOptions<In, Out>,
): SourceTask<Out> {
  checkOptions('onSpark', options, RULES, ['remote', 'sql', 'key']);
  return connectorSource(new SparkWorkSource<Out>(work, options), taskOptionsOf(options));
}

/**
 * Ends a cancelled task of Spark at the next sign of life of its worker. Spark only interrupts the thread of the task
 * and waits for its end, and nothing else checks for the interrupt between two lines.
 */
const IS_CANCELLED = `if(reflect('java.lang.Thread', 'interrupted') = 'true', raise_error('cancelled'), false)`;
/** The file that the executors run. */
const WORKER = new URL('./executor-worker.js', import.meta.url);

class SparkWorkSource<Out> extends QuerySource<Out, OnSparkOptions<unknown, Out>> implements Source<Out> {
  readonly kind = 'spark work';
  readonly checkpointFormat = 'spark work';
  private readonly order: Omit<WorkerOrder, 'work' | 'schema'>;
  private readonly work: ModuleRef;
  private readonly schema: ModuleRef | undefined;

  constructor(work: unknown, options: OnSparkOptions<unknown, Out>) {
    super(options);
    const isFold = typeof work !== 'function';
    if (!isFold && options.orderBy !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        'Expected `orderBy` of onSpark only for an aggregate, got a function',
      );
    }
    this.work = plainRef(work, 'onSpark');
    this.schema = options.schema === undefined ? undefined : plainRef(options.schema, 'the `schema` of onSpark');
    this.order = { kind: isFold ? 'fold' : 'map', key: options.key };
  }

  override identify(): Json {
    const { setup = [], partitions = 0, key, orderBy = [] } = this.options;
    const { export: name, args } = this.work;
    const query = identityOfQuery(this.asQuery());
    return { query, setup: [...setup], partitions, key, orderBy: [...orderBy], work: JSON.stringify([name, args]) };
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    const files = await this.filesOfWork();
    return this.openParts(context, past, (partition, position) => {
      const tally = new Tally(context.task);
      return {
        cursor: new SparkCursor(this.queryOf(partition, files, tally), context, position?.key),
        addRecords: (row, records) => {
          tally.addRecords(row, records);
        },
        whenOver: () => {
          tally.check(this.options.countRows ?? true);
        },
        hasKey: true,
      };
    });
  }

  /** The files for the executors. Their names contain a digest, so that a session never mixes versions. */
  private async filesOfWork(): Promise<WorkerFiles> {
    const files = new Map<string, Uint8Array>();
    const add = async (name: string, url: URL | string): Promise<string> => {
      const data = await readFile(url);
      const digest = createHash('sha256').update(data).digest('hex').slice(0, 16);
      files.set(`millrace-${name}-${digest}.mjs`, data);
      return `millrace-${name}-${digest}.mjs`;
    };
    const worker = await add('worker', WORKER);
    const { bundle } = this.options;
    const shipped = bundle === undefined ? undefined : `./${await add('bundle', bundle)}`;
    const placed = ({ module, ...ref }: ModuleRef): WorkRef => ({ ...ref, module: shipped ?? module });
    const order: WorkerOrder = {
      ...this.order,
      work: placed(this.work),
      ...(this.schema && { schema: placed(this.schema) }),
    };
    return { files, worker, order: Buffer.from(JSON.stringify(order)).toString('base64url') };
  }

  private queryOf(partition: number, { files, worker, order }: WorkerFiles, tally: Tally): CursorQuery {
    const { options } = this;
    const { args = {}, setup = [], node = 'node' } = options;
    return {
      connection: options,
      setup,
      query: async (session: SparkSession, after) => {
        tally.begin();
        await session.addFiles(files);
        const folder = await session.serverSideId();
        // The files of a session are in a folder of its own, in the working folder of an executor.
        return this.sqlOf(partition, after, `exec ${node} ./${folder}/${worker} ${order}`);
      },
      args,
      keyset: ['key'],
      limits: { retryForMs: options.retryForMs, noProgressMs: options.noProgressMs ?? DEFAULT_NO_PROGRESS_MS },
    };
  }

  /**
   * Each row travels as one JSON text, because the separators of TRANSFORM depend on the server, and its casts of
   * columns turn errors into NULL.
   */
  private sqlOf(partition: number, after: Key | undefined, command: string): string {
    const { sql, key, orderBy = [], partitions, countRows = true } = this.options;
    const column = `q.${quoted(key)}`;
    const conditions = [
      ...(partitions === undefined ? [] : [`pmod(hash(${column}), ${partitions}) = ${partition}`]),
      // A NULL is kept, so that the worker refuses it.
      ...(after === undefined ? [] : [`(${column} IS NULL OR CAST(${column} AS STRING) > :millrace_key_0)`]),
    ];
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
    const input = `(\n${withoutEnd(sql)}\n) AS q${where}`;
    const grouped =
      this.order.kind === 'fold' ? ` DISTRIBUTE BY ${column} SORT BY ${[column, ...orderBy].join(', ')}` : '';
    const lines = [
      `SELECT line FROM (SELECT TRANSFORM(row) USING '${command}' AS (line STRING) FROM (`,
      `SELECT to_json(struct(*), map('ignoreNullFields', 'false')) AS row FROM (SELECT * FROM ${input}${grouped})))`,
      `WHERE if(startswith(line, '[]'), ${IS_CANCELLED}, true)`,
    ].join('\n');
    const counted = countRows
      ? `\nUNION ALL SELECT concat('["c","\\\\u0000",', count(*), ']') AS line FROM ${input}`
      : '';
    // ORDER BY would execute the code twice: once for a sample of the keys, by which it divides the rows among tasks.
    // One task sorts the results instead, which one process reads anyway.
    return `SELECT /*+ REPARTITION(1) */ get_json_object(line, '$[1]') AS key, line FROM (\n${lines}${counted}\n) SORT BY key`;
  }
}

interface WorkerFiles {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** The name of the worker among them. */
  readonly worker: string;
  readonly order: string;
}

type CountLine = readonly ['c', string, number];

/** Makes records of the lines of the workers, and checks that none is missing. */
class Tally {
  private readonly task: string;
  private read = 0;
  private written = 0;
  private results = 0;
  private rows: number | undefined;

  constructor(task: string) {
    this.task = task;
  }

  /** Called when the query is executed, also when it is executed again. */
  begin(): void {
    this.read = this.written = this.results = 0;
    this.rows = undefined;
  }

  /** Adds the results of a line to the records. */
  addRecords<Out>(row: CursorRow, records: (Out | Skip | Rejected)[]): void {
    if (row instanceof UnreadableRow) throw row.error;
    const line = JSON.parse(row['line'] as string) as ResultLine | TrailerLine | CountLine;
    if (line[0] === 't') {
      this.read += line[2].in;
      this.written += line[2].out;
      return;
    }
    if (line[0] === 'c') {
      this.rows = line[2];
      return;
    }
    this.results++;
    const [, , result, letters, skips] = line;
    for (const { input, code, message } of letters) {
      records.push(new Rejected(input, new MillraceError(code as ErrorCode, message)));
    }
    records.push(...skips.map(skip));
    if ('value' in result) records.push(result.value as Out);
  }

  /** Throws MILLRACE_CONSERVATION if the workers have not read all rows, or not all of their results have come. */
  check(isCounted: boolean): void {
    const of = `The work of '${this.task}'`;
    if (this.results !== this.written) {
      throw new MillraceError(
        'MILLRACE_CONSERVATION',
        `${of} wrote ${this.written} results, and ${this.results} of them came`,
      );
    }
    if (isCounted && this.rows !== this.read) {
      throw new MillraceError(
        'MILLRACE_CONSERVATION',
        `${of} read ${this.read} rows of a query with ${String(this.rows)} rows. A query must return the same rows each time`,
      );
    }
  }
}

/** A reference that a command line can contain. */
function plainRef(work: unknown, user: string): ModuleRef {
  const ref = referTo(work, user);
  if (!isPlain(ref.args)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected the settings of the work of ${user} to be plain JSON, got ${describeValue(ref.args)}`,
    );
  }
  return ref;
}

function isPlain(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean';
  const prototype: unknown = Object.getPrototypeOf(value);
  const isKnown = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  return isKnown && Object.values(value).every(isPlain);
}
