/**
 * A statement of Spark per record, as a task.
 *
 * Guarantees: values are arguments, never parts of the text. If the connection breaks, the task connects again and
 * waits for the same execution. Only a statement that the server has forgotten may be executed twice: at least once.
 */
import {
  callback,
  checkOptions,
  CONCURRENT_RULES,
  count,
  type ConcurrentOptions,
  type OptionRules,
  type RunOutcome,
  type Task,
  type TaskScope,
} from '../../connect/index.js';
import { databaseAway } from '../sql/sql-errors.js';
import { STATEMENT_RULES, StatementTask, type StatementFailure } from '../sql/statement-task.js';
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
  /** The time for which the task tries to replace a lost connection, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
  /** How long a statement may run without any task of Spark beginning or ending, in milliseconds. Default 1,800,000. */
  readonly noProgressMs?: number;
}

const RULES: OptionRules<SparkStatementOptions<never, unknown>> = {
  ...CONCURRENT_RULES,
  ...STATEMENT_RULES,
  ...sparkConnectionRules,
  args: callback,
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

type Values = Readonly<Record<string, SparkValue>> | undefined;

class SparkStatement<In, Out> extends StatementTask<In, Values, SparkFields, Out> {
  override readonly kind = 'spark statement';
  private readonly query: SparkStatementOptions<In, Out>;
  private session: SparkSession | undefined;
  private readonly executions = new Set<Execution>();

  constructor(options: SparkStatementOptions<In, Out>) {
    super(options, options.concurrency ?? DEFAULT_STATEMENTS);
    this.query = options;
  }

  override open(scope: TaskScope): void {
    hideToken(this.query, scope.secrets);
    void super.open(scope);
    this.session = new SparkSession(this.query);
    scope.signal.addEventListener('abort', this.stop);
  }

  override async close(_outcome: RunOutcome): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    const { scope } = this;
    this.session = undefined;
    scope.signal.removeEventListener('abort', this.stop);
    const ended = await Promise.all([...this.executions].map((execution) => execution.close()));
    if (ended.includes(false)) {
      scope.notice(
        `A statement of '${scope.task}' could not be cancelled: the server did not answer. It may run to its end`,
      );
    }
    // A server that is away forgets an idle session by itself.
    await session.end().catch(() => undefined);
    session.disconnect();
  }

  protected override valuesOf(record: In): Values {
    return this.query.args?.(record);
  }

  protected override async execute(args: Values, of: string): Promise<readonly SparkFields[]> {
    const { sql, retryForMs, noProgressMs = DEFAULT_NO_PROGRESS_MS } = this.query;
    let execution: Execution | undefined;
    try {
      return await executeSql({
        session: this.session as SparkSession,
        sql,
        args,
        of,
        context: this.scope,
        limits: { retryForMs, noProgressMs },
        whenBegun: (begun) => {
          if (execution !== undefined) this.executions.delete(execution);
          execution = begun;
          this.executions.add(begun);
        },
      });
    } finally {
      if (execution !== undefined) this.executions.delete(execution);
    }
  }

  protected override failureOf(error: unknown): StatementFailure | undefined {
    if (!isOfSpark(error)) return undefined;
    const { failure, message } = reportOf(error);
    if (failure === 'row' || failure === 'statement') return { failure, message };
    // The execution has already waited for its server, and may have been executed.
    throw databaseAway(`The statement of '${this.scope.task}'`, message, error);
  }

  private readonly stop = (): void => {
    for (const execution of this.executions) void execution.close();
  };
}

/** Whether the error is one of gRPC: others are those of user code and of this connector. */
function isOfSpark(error: unknown): boolean {
  return typeof (error as { readonly details?: unknown }).details === 'string' && 'metadata' in (error as object);
}
