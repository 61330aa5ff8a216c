/**
 * Values as JSON, from which the server makes the values of columns.
 *
 * Guarantees: numbers keep all their digits, dates are instants in UTC, bytes are bytes. A value that would change on
 * the way throws.
 */
import { describeValue, MillraceError } from '../../connect/index.js';

/** A value that JSON represents as the server reads it. Lists are converted too, objects are left to JSON. */
export function plainValue(value: unknown, column: string): unknown {
  switch (typeof value) {
    case 'undefined':
      return null;
    case 'bigint':
      return value.toString();
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'string':
    case 'boolean':
      return value;
    case 'object':
      if (value === null) return null;
      if (value instanceof Date) return dateText(value, column);
      if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
      if (Array.isArray(value)) return value.map((item) => plainValue(item, column));
      return value;
    default:
      throw new MillraceError('MILLRACE_INVALID_OUTPUT', `Column '${column}' cannot contain ${describeValue(value)}`);
  }
}

function dateText(date: Date, column: string): string {
  if (Number.isNaN(date.getTime())) {
    throw new MillraceError('MILLRACE_INVALID_OUTPUT', `Column '${column}' cannot contain an invalid date`);
  }
  return date.toISOString();
}

/** The fields of a row as a JSON object. The names are `c0`, `c1`, …, in the order of the columns. */
export function rowJson(values: readonly unknown[], columns: readonly string[]): string {
  const fields = values.map((value, i) => `"c${i}":${JSON.stringify(plainValue(value, columns[i] as string))}`);
  return `{${fields.join(',')}}`;
}
