/** Classifies errors of a database by their consequence for the work that failed. */
import { FatalTaskError, MillraceError } from '../../connect/index.js';

/**
 * `row`: the database refuses a row. `again`: the transaction was rolled back, and may succeed when it is repeated.
 * `lost`: the connection is lost, and it is unknown whether the transaction was committed. `statement`: the statement
 * itself is wrong, or the user may not execute it.
 */
export type SqlFailure = 'row' | 'again' | 'lost' | 'statement';

/** The error of a row that the database refuses. */
export function refusedRow(of: string, message: string, cause: unknown): MillraceError {
  return new MillraceError('MILLRACE_SQL', `${of} refused the row: ${message}`, { cause });
}

/** The error of a statement that no record can execute: it ends the run. */
export function wrongStatement(of: string, message: string, cause: unknown): FatalTaskError {
  return new FatalTaskError('MILLRACE_SQL', `${of}: ${message}`, { cause });
}

/** The error of a database that remained unavailable. */
export function databaseAway(of: string, message: string, cause: unknown): MillraceError {
  return new FatalTaskError('MILLRACE_NETWORK', `${of}: ${message}`, { cause, retryable: true });
}
