/** The check of a row that a sink of a table writes. */
import { refusePromise } from '../model/awaitable.js';
import { describeValue, MillraceError } from '../model/errors.js';

/**
 * Returns the fields by column. Throws MILLRACE_INVALID_OUTPUT for a value without named fields, such as an array or a
 * Map, of which an empty row would be written, and MILLRACE_INVALID_OPTION for a promise.
 * @param row a record, or what the `row` of the sink returned.
 */
export function fieldsOfRow(row: unknown, task: string): Readonly<Record<string, unknown>> {
  if (typeof row === 'object' && row !== null) {
    refusePromise(row, `\`row\` of '${task}'`);
    const hasNames = !Array.isArray(row) && !(row instanceof Map) && !(row instanceof Set) && !ArrayBuffer.isView(row);
    if (hasNames) return row as Readonly<Record<string, unknown>>;
  }
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected a row of '${task}' to be an object with its columns, got ${describeValue(row)}`,
  );
}
