/**
 * A statement of Spark per record, as a task.
 *
 * Guarantees: values are arguments, never parts of the text. A statement whose connection breaks is waited for, not
 * begun again; only a server that has forgotten it may execute it twice: at least once.
 */
import {
  callback,
  checkOptions,
  CONCURRENT_RULES,
  count,
  number,
  RecordTask,
  text,
  type ConcurrentOptions,
  type OptionRules,
  type RecordContext,
  type RunOutcome,
  type Task,
  type TaskScope,
} from '../../connect/index.js';
import { databaseAway, refusedRow, wrongStatement } from '../sql/sql-errors.js';
import type { SparkFields } from './arrow-rows.js';
import type { Execution } from './execution.js';
import type { SparkValue } from './literals.js';
import { reportOf } from './spark-errors.js';
import { addressOf, hideToken, sparkConnectionRules, type SparkConnection } from './spark-remote.js';
import { SparkSession } from './spark-session.js';
import { DEFAULT_NO_PROGRESS_MS } from './spark-source.js';
import { executeSql } from './sql-execution.js';

/** Options of `sparkStatement`. */
export interface SparkStatementOptions<In, Out> extends ConcurrentOptions<In, Out>, SparkConnection {
  /** One statement, with `:name` for its parameters. It may be executed twice for a record: see the guide. */
  readonly sql: string;
  /** The values of the parameters for a record. Default: none. */
  readonly args?: (record: In) => Readonly<Record<string, SparkValue>>;
  /** Makes the output of the rows that the statement returned. Default: the record itself. */
  readonly result?: (rows: readonly SparkFields[], record: In) => Out;
  /** The most statements at a time. Default 4. */
  readonly concurrency?: number;
  /** How long a lost connection is made again, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
  /** How long a statement may run without any task of Spark beginning or ending, in milliseconds. Default 1,800,000. */
  readonly noProgressMs?: number;
}

const RULES: OptionRules<SparkStatementOptions<never, unknown>> = {
  ...CONCURRENT_RULES,
  ...sparkConnectionRules,
  sql: text,
  args: callback,
  result: callback,
  retryForMs: number(0),
  noProgressMs: count(),
};

const DEFAULT_STATEMENTS = 4;

/**
 * Executes a statement for each record and emits the record, or what `result` makes of the rows, all of which are in
 * memory. If Spark refuses the values of a record, the failure policy ends the record; if it refuses the statement, the
 * run fails with MILLRACE_SQL. A run that is cancelled cancels its statements. Throws MILLRACE_INVALID_OPTION for
 * options that do not fit.
 *
 * @example sparkStatement({ remote: 'sc://spark:15002', sql: 'DELETE FROM offers WHERE day = :day', args: (day: string)
 *   => ({ day }) })
 */
export function sparkStatement<In, Out = In>(options: SparkStatementOptions<In, Out>): Task<In, Out> {
  checkOptions('a sparkStatement', options, RULES, ['remote', 'sql']);
  addressOf(options);
  return new SparkStatement(options);
}

class SparkStatement<In, Out> extends RecordTask<In, Out> {
  override readonly kind = 'spark statement';
  private readonly statement: SparkStatementOptions<In, Out>;
  private scope: TaskScope | undefined;
  private session: SparkSession | undefined;
  private readonly executions = new Set<Execution>();

  constructor(options: SparkStatementOptions<In, Out>) {
    super({ ...options, concurrency: options.concurrency ?? DEFAULT_STATEMENTS });
    this.statement = options;
  }

  override open(scope: TaskScope): void {
    hideToken(this.statement, scope.secrets);
    this.scope = scope;
    this.session = new SparkSession(this.statement);
    scope.signal.addEventListener('abort', this.stop);
  }

  override async close(_outcome: RunOutcome): Promise<void> {
    const { session, scope } = this;
    this.session = undefined;
    scope?.signal.removeEventListener('abort', this.stop);
    const ended = await Promise.all([...this.executions].map((execution) => execution.close()));
    if (ended.includes(false)) {
      scope?.notice(
        `A statement of '${scope.task}' could not be cancelled: the server did not answer. It may run to its end`,
      );
    }
    // A server that is away forgets an idle session by itself.
    await session?.end().catch(() => undefined);
    session?.disconnect();
  }

  protected override async process(record: In, { task }: RecordContext): Promise<Out> {
    const { sql, args, result, retryForMs, noProgressMs = DEFAULT_NO_PROGRESS_MS } = this.statement;
    const of = `The statement of '${task}'`;
    let execution: Execution | undefined;
    try {
      const rows = await executeSql({
        session: this.session as SparkSession,
        sql,
        args: args?.(record),
        of,
        context: this.scope as TaskScope,
        limits: { retryForMs, noProgressMs },
        whenBegun: (begun) => {
          if (execution !== undefined) this.executions.delete(execution);
          execution = begun;
          this.executions.add(begun);
        },
      });
      return result === undefined ? (record as unknown as Out) : result(rows, record);
    } catch (error) {
      if (execution === undefined || !isOfSpark(error)) throw error;
      const { failure, message } = reportOf(error);
      if (failure === 'row') throw refusedRow(of, message, error);
      if (failure === 'statement') throw wrongStatement(of, message, error);
      throw databaseAway(of, message, error);
    } finally {
      if (execution !== undefined) this.executions.delete(execution);
    }
  }

  private readonly stop = (): void => {
    for (const execution of this.executions) void execution.close();
  };
}

/** Whether the error is one of gRPC: others are those of user code and of this connector. */
function isOfSpark(error: unknown): boolean {
  return typeof (error as { readonly details?: unknown }).details === 'string' && 'metadata' in (error as object);
}
