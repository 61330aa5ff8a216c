/**
 * The meaning of the errors of PostgreSQL, by their SQLSTATE.
 *
 * Guarantees: no decision depends on the text of a message.
 */
import { describeThrown } from '../../connect/index.js';
import type { SqlFailure } from '../sql/sql-errors.js';

interface ServerError {
  readonly code?: unknown;
  readonly detail?: unknown;
  readonly hint?: unknown;
  readonly column?: unknown;
}

/**
 * Classes and codes that concern single rows: data exceptions, constraints, ON CONFLICT that meets a row twice, errors
 * that a trigger raises, views with a check, rows that are too large, and policies of row security.
 */
const ROW = /^(?:21|22|23|44|54|P0)/;
/** A policy of row security refused a row, or the user has no right to the table at all. */
const REFUSED = '42501';
/** Serialization failures, deadlocks, locks, time limits, and servers without resources. */
const AGAIN = /^(?:40|53)|^(?:55P03|57014)$/;
/** The connection was refused, or ended by the server. */
const LOST = /^08|^57P0[1-5]$|^25P0[34]$/;

/**
 * @param isConnected whether the connection is still there.
 * @param isSecured whether the table has row security, whose policies refuse single rows.
 */
export function failureOf(error: unknown, isConnected: boolean, isSecured = false): SqlFailure {
  const { code } = error as ServerError;
  // The client could not convert a parameter to text.
  if (error instanceof TypeError) return 'row';
  if (!isSqlState(code)) return 'lost';
  if (LOST.test(code)) return 'lost';
  if (AGAIN.test(code)) return 'again';
  if (!isConnected) return 'lost';
  return ROW.test(code) || (code === REFUSED && isSecured) ? 'row' : 'statement';
}

/** Errors of the client and of the network have other codes, such as EPIPE, or none. */
export function isSqlState(code: unknown): code is string {
  return typeof code === 'string' && /^[0-9FHPX][0-9A-Z]{4}$/.test(code);
}

/** The message of the server with its detail and hint. */
export function describePostgres(error: unknown): string {
  const { code, detail, hint } = error as ServerError;
  const parts = [describeThrown(error), detail, hint].filter((part) => typeof part === 'string' && part !== '');
  return `${parts.join('. ')}${isSqlState(code) ? ` (SQLSTATE ${code})` : ''}`;
}
