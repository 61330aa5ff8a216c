/**
 * A statement of SQLite per record, as a task.
 *
 * Guarantees: values are parameters. Each statement is a transaction of its own. A statement may be executed again for
 * a record after a crash: at least once.
 */
import {
  callback,
  checkOptions,
  describeThrown,
  TASK_RULES,
  text,
  type OptionRules,
  type RunOutcome,
  type Task,
  type TaskOptions,
  type TaskScope,
} from '../../connect/index.js';
import { wrongStatement } from '../sql/sql-errors.js';
import { STATEMENT_RULES, StatementTask, type StatementFailure } from '../sql/statement-task.js';
import { SharedFile } from './shared-file.js';
import { SqliteError, type SqliteFields } from '../../storage/sqlite.js';
import { storedValue } from './sqlite-value.js';

/** Options of `sqlStatement`. */
export interface SqlStatementOptions<In, Out> extends TaskOptions<In, Out> {
  /** The path of the file. */
  readonly path: string;
  /** One statement, with `?1`, `?2`, … for its parameters. It may be executed twice for a record: see the guide. */
  readonly sql: string;
  /** The values of the parameters for a record. Default: none. */
  readonly params?: (record: In) => readonly unknown[];
  /** Makes the output from the rows that the statement returned. Default: the record itself. */
  readonly result?: (rows: readonly SqliteFields[], record: In) => Out;
  /** How long a statement waits for other processes that write to the file, in milliseconds. Default 60,000. */
  readonly retryForMs?: number;
}

const RULES: OptionRules<SqlStatementOptions<never, unknown>> = {
  ...TASK_RULES,
  ...STATEMENT_RULES,
  path: text,
  params: callback,
};

/**
 * Executes a statement for each record and emits the record, or the output that `result` makes from the rows. If SQLite
 * refuses the values of a record, the failure policy ends the record; if it refuses the statement, the run fails with
 * MILLRACE_SQL. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example
 * const sql = 'SELECT city FROM members WHERE id = ?1';
 * sqlStatement({ path: 'shop.db', sql, params: (id: string) => [id], result: ([row]) => row?.city })
 */
export function sqlStatement<In, Out = In>(options: SqlStatementOptions<In, Out>): Task<In, Out> {
  checkOptions('a sqlStatement', options, RULES, ['path', 'sql']);
  return new SqlStatement(options);
}

type Values = ReturnType<typeof storedValue>[];

class SqlStatement<In, Out> extends StatementTask<In, Values, SqliteFields, Out> {
  override readonly kind = 'sqlite statement';
  private readonly query: SqlStatementOptions<In, Out>;
  private file: SharedFile | undefined;

  constructor(options: SqlStatementOptions<In, Out>) {
    super(options);
    this.query = options;
  }

  override async open(scope: TaskScope): Promise<void> {
    const { path, sql } = this.query;
    await super.open(scope);
    this.file = await SharedFile.open(path);
    try {
      this.file.statement(sql);
    } catch (error) {
      throw wrongStatement(`The statement of '${scope.task}'`, describeThrown(error), error);
    }
  }

  override close(_outcome: RunOutcome): Promise<void> {
    this.file?.close();
    this.file = undefined;
    return Promise.resolve();
  }

  protected override valuesOf(record: In): Values {
    const { params } = this.query;
    return (params === undefined ? [] : params(record)).map((value, i) =>
      storedValue(value, `Parameter ${i + 1} of '${this.scope.task}'`),
    );
  }

  protected override execute(values: Values): readonly SqliteFields[] {
    return (this.file as SharedFile).statement(this.query.sql).all(values);
  }

  protected override failureOf(error: unknown): StatementFailure | undefined {
    if (!(error instanceof SqliteError)) return undefined;
    const { failure, message } = error;
    return { failure, message };
  }
}
