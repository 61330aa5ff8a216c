/**
 * The rows of a query of Spark as a source.
 *
 * Guarantees: the memory of this process does not depend on the number of rows. With a `keyset`, a resumed run
 * continues after the last key. With `partitions`, the driver of Spark holds the results of at most `concurrency` parts
 * at a time.
 */
import {
  checkOptions,
  connectorSource,
  count,
  MillraceError,
  number,
  Rejected,
  SOURCE_RULES,
  standardSchema,
  taskOptionsOf,
  text,
  type ConnectorContext,
  type Json,
  type OptionRule,
  type OptionRules,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourceTask,
} from '../../connect/index.js';
import { identifier, identifiers } from '../sql/identifiers.js';
import { checkResumable, identityOfQuery, recordOfRow } from '../sql/query.js';
import type { SparkFields } from './arrow-rows.js';
import { sparkArguments, type SparkValue } from './literals.js';
import { QuerySource } from './query-source.js';
import { quoted, SparkCursor, UnreadableRow, wrapQuery, type CursorQuery } from './spark-cursor.js';
import { sparkConnectionRules, type SparkConnection } from './spark-remote.js';

/** The options that all sources of Spark have. */
export interface SparkReadOptions extends SparkConnection {
  /**
   * Statements that are executed before the query, in its session, such as `CREATE TEMPORARY VIEW` for files with
   * options. They may be executed again.
   */
  readonly setup?: readonly string[];
  /** The time for which the source tries to replace a lost connection, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
  /** How long the query may run without any task of Spark beginning or ending, in milliseconds. Default 1,800,000. */
  readonly noProgressMs?: number;
}

/** Options of `sparkSource`: the query, and how its rows become records. */
export interface SparkSourceOptions<Out> extends SourceOptions<Out>, SparkReadOptions {
  /** One query, with `:name` for its parameters. */
  readonly sql: string;
  /** The values of the parameters. */
  readonly args?: Readonly<Record<string, SparkValue>>;
  /**
   * Columns of the result that are different in each row and never NULL: texts, integers, decimals, dates or
   * timestamps. The rows come in the order of these columns, and a resumed run continues after the last row. Without
   * it, a run cannot be resumed.
   */
  readonly keyset?: readonly string[];
  /** Types the fields of a row. The result of the validation is the record. Default: the row itself. */
  readonly schema?: Schema<Out>;
  /**
   * Reads the result in this many parts, by a hash of `partitionBy`: the query is executed once per part. Needed when
   * the result is larger than the memory of Spark's driver.
   */
  readonly partitions?: number;
  /** The column of the result whose hash determines the part of a row. */
  readonly partitionBy?: string;
  /** The most parts that are read at a time. Default 2. */
  readonly concurrency?: number;
}

/** The rule of `setup`. */
const statements: OptionRule = {
  expected: 'an array of statements',
  accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string' && one.trim() !== ''),
};

export const SPARK_READ_RULES: OptionRules<SparkReadOptions> = {
  ...sparkConnectionRules,
  setup: statements,
  retryForMs: number(0),
  noProgressMs: count(),
};

const RULES: OptionRules<SparkSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  ...SPARK_READ_RULES,
  sql: text,
  args: sparkArguments,
  keyset: identifiers,
  schema: standardSchema,
  partitions: count(),
  partitionBy: identifier,
  concurrency: count(),
};

export const DEFAULT_NO_PROGRESS_MS = 1_800_000;

/**
 * Reads the rows of a query on a Spark Connect server, one record per row. bigint is a number, and a row with one
 * beyond 2^53 is refused; decimals, dates and timestamps are texts. The failure policy ends a row that does not fit the
 * schema. Throws MILLRACE_INVALID_OPTION for options that do not fit. A run fails with MILLRACE_SQL if Spark refuses
 * the query or the keyset is not unique, with MILLRACE_NETWORK if the server stays away, and with MILLRACE_TIMEOUT
 * without progress.
 *
 * @example sparkSource({ remote: 'sc://spark:15002', sql: 'SELECT id, city FROM members WHERE city = :city', args: {
 *   city: 'Oslo' }, keyset: ['id'] })
 */
export function sparkSource<Out = SparkFields>(options: SparkSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a sparkSource', options, RULES, ['remote', 'sql']);
  const { partitions, partitionBy } = options;
  if ((partitions === undefined) !== (partitionBy === undefined)) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      'Expected a sparkSource to have both `partitions` and `partitionBy`, or none of them',
    );
  }
  return connectorSource(new SparkSource(options), taskOptionsOf(options));
}

/** A query of Spark as a `Source`. `sparkSource` makes a task of it. */
export class SparkSource<Out> extends QuerySource<Out, SparkSourceOptions<Out>> implements Source<Out> {
  readonly kind = 'spark source';
  readonly checkpointFormat = 'spark source';

  override identify(): Json {
    const { setup = [], partitions = 0, partitionBy = '' } = this.options;
    return { query: identityOfQuery(this.asQuery()), setup: [...setup], partitions, partitionBy };
  }

  open(context: ConnectorContext, past: SourcePast | undefined): readonly SourcePartition<Out>[] {
    const { schema, keyset } = this.options;
    checkResumable(this.asQuery(), context);
    return this.openParts(context, past, (partition, position) => ({
      cursor: new SparkCursor(queryOf(this.options, partition), context, position?.key),
      addRecords: (row, records) => {
        records.push(
          row instanceof UnreadableRow ? new Rejected({}, row.error) : recordOfRow(schema, row, context.task),
        );
      },
      hasKey: keyset !== undefined,
    }));
  }
}

function queryOf(options: SparkSourceOptions<unknown>, partition: number): CursorQuery {
  const { sql, args = {}, keyset = [], setup = [], partitions, partitionBy } = options;
  const where = partitionBy === undefined ? [] : [`pmod(hash(q.${quoted(partitionBy)}), ${partitions}) = ${partition}`];
  return {
    connection: options,
    setup,
    query: (_session, after) => wrapQuery({ sql, keyset, after, where }),
    args,
    keyset,
    limits: { retryForMs: options.retryForMs, noProgressMs: options.noProgressMs ?? DEFAULT_NO_PROGRESS_MS },
  };
}
