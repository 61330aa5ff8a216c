/** Errors of DuckDB as text. */
import { messageOf } from '../../connect/files.js';

/**
 * The message in one line, without the quotation of the statement: its line numbers are those of the statement that was
 * made of the user's.
 */
export function describeDuckdb(error: unknown): string {
  const [message = ''] = messageOf(error).split(/\n+LINE \d+:/);
  return message
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}
