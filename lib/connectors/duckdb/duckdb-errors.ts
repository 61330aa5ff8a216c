/** Errors of DuckDB as text. */
import { messageOf } from '../../connect/files.js';

/**
 * The message in one line, without the quoted statement: the statement was generated from that of the user, and has
 * other line numbers.
 */
export function describeDuckdb(error: unknown): string {
  const [message = ''] = messageOf(error).split(/\n+LINE \d+:/);
  return message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}
