/**
 * The port of a database in which a store keeps its tables. A store writes its statements as generators, so that the
 * same statements serve a database that answers at once (SQLite) and one over a network (PostgreSQL).
 *
 * Guarantees: a transaction is committed as a whole, or its error is thrown and nothing has changed. The work of a
 * transaction may be executed again after a conflict, so it must change nothing but the database.
 */

export type SqlValue = number | string | null;
/** A row by the names of its columns. */
export type SqlFields = Readonly<Record<string, unknown>>;

/** A statement with `?` for each value. Names with capital letters are quoted, because PostgreSQL folds others. */
export interface SqlStatement {
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** Whether its rows are wanted, or the number of changed rows. */
  readonly answers: 'rows' | 'changed';
}

export interface SqlAnswer {
  readonly rows: readonly SqlFields[];
  readonly changed: number;
}

/** The statements of some work, one after another, and its result. */
export type SqlWork<Result> = Generator<SqlStatement, Result, SqlAnswer>;

/** The conditions of a transaction. */
export interface TransactOptions {
  /** The number of the server that makes the change: refused with MILLRACE_LOCKED if it was removed from the store. */
  readonly server?: number | undefined;
  /** True to exclude all other transactions with this flag: for choices that depend on several rows. */
  readonly isAlone?: boolean;
}

export interface SqlDatabase {
  /** An expression for the time of the database, in milliseconds since 1970. */
  readonly clock: string;
  /** Executes work that changes nothing, or whose statements are independent of each other. */
  read<Result>(work: () => SqlWork<Result>): Promise<Result>;
  transact<Result>(work: () => SqlWork<Result>, options?: TransactOptions): Promise<Result>;
  /** Grows with each committed transaction of any server. */
  changes(): Promise<number>;
  /** Writes a copy into a new file. */
  backUp(path: string): Promise<void>;
  close(): Promise<void>;
}

/** The rows of a statement. */
export function* all(text: string, values: readonly SqlValue[] = []): SqlWork<readonly SqlFields[]> {
  return (yield { text, values, answers: 'rows' }).rows;
}

/** The number of rows that a statement has changed. */
export function* run(text: string, values: readonly SqlValue[] = []): SqlWork<number> {
  return (yield { text, values, answers: 'changed' }).changed;
}

/** `?, ?, ?` */
export function places(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
