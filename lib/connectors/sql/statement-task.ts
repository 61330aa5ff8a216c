/**
 * A task that executes one statement of a database per record. The statements of all databases use this class.
 *
 * Guarantees: values are parameters, never parts of the text. A statement is repeated only while its database is away
 * or asks for it. The failure policy ends a record whose values the database refuses; a statement that it refuses ends
 * the run.
 */
import {
  callback,
  MillraceError,
  number,
  RecordTask,
  text,
  type Awaitable,
  type ConcurrentOptions,
  type OptionRule,
  type RecordContext,
  type TaskScope,
} from '../../connect/index.js';
import { Patience } from './patience.js';
import { databaseAway, refusedRow, wrongStatement, type SqlFailure } from './sql-errors.js';

/** The rules of the options that all statements have. */
export const STATEMENT_RULES: Readonly<Record<'sql' | 'result' | 'retryForMs', OptionRule>> = {
  sql: text,
  result: callback,
  retryForMs: number(0),
};

/** The options that a statement of each database has. */
export interface StatementOptions<In, Row, Out> extends ConcurrentOptions<In, Out> {
  readonly result?: (rows: readonly Row[], record: In) => Out;
  readonly retryForMs?: number;
}

/** What an error of the database means, and its message. */
export interface StatementFailure {
  readonly failure: SqlFailure;
  readonly message: string;
}

export abstract class StatementTask<In, Values, Row, Out> extends RecordTask<In, Out> {
  private readonly statement: StatementOptions<In, Row, Out>;
  private opened: TaskScope | undefined;

  protected constructor(options: StatementOptions<In, Row, Out>, concurrency?: number) {
    super(concurrency === undefined ? options : { ...options, concurrency });
    this.statement = options;
  }

  override open(scope: TaskScope): Awaitable<void> {
    this.opened = scope;
  }

  /** The values of the parameters for a record. An error that it throws is an error of user code. */
  protected abstract valuesOf(record: In): Values;

  /** Executes the statement once. Returns the rows. */
  protected abstract execute(values: Values, of: string): Awaitable<readonly Row[]>;

  /** What an error of `execute` means; undefined if the error is not from the database. */
  protected abstract failureOf(error: unknown): StatementFailure | undefined;

  protected get scope(): TaskScope {
    if (this.opened === undefined) throw new TypeError('The statement is not open');
    return this.opened;
  }

  protected override async process(record: In, { task }: RecordContext): Promise<Out> {
    const { result, retryForMs } = this.statement;
    const patience = new Patience(this.scope, retryForMs);
    const of = `The statement of '${task}'`;
    const values = this.valuesOf(record);
    for (;;) {
      let rows: readonly Row[];
      try {
        rows = await this.execute(values, of);
      } catch (error) {
        const known = error instanceof MillraceError ? undefined : this.failureOf(error);
        if (known === undefined) throw error;
        const { failure, message } = known;
        if (failure === 'row') throw refusedRow(of, message, error);
        if (failure === 'statement') throw wrongStatement(of, message, error);
        if (!(await patience.wait())) throw databaseAway(of, message, error);
        continue;
      }
      return result === undefined ? (record as unknown as Out) : result(rows, record);
    }
  }
}
