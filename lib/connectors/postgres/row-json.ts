/**
 * Values as JSON, from which the server makes the values of columns.
 *
 * Guarantees: numbers keep all their digits, dates are instants in UTC, bytes are bytes. A value that would change on
 * the way throws.
 */
import { describeThrown, describeValue, MillraceError } from '../../connect/index.js';
import { jsonText } from '../json/json-text.js';

/** How the values of a column are written. */
export type ColumnForm = 'json' | 'array' | 'plain';

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
      jsonOf(value, column);
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

/**
 * The text of a value in a column of JSON. Throws MILLRACE_INVALID_OUTPUT for a value that JSON would change or drop,
 * such as NaN, a bigint or a Map.
 */
export function jsonOf(value: unknown, column: string): string {
  try {
    return jsonText(value);
  } catch (error) {
    throw new MillraceError('MILLRACE_INVALID_OUTPUT', `Column '${column}': ${describeThrown(error)}`, {
      cause: error,
    });
  }
}

/** Throws MILLRACE_INVALID_OUTPUT for a text with half of a surrogate pair, which UTF-8 cannot represent. */
export function assertWellFormed(text: string, column: string): void {
  if (!/\p{Surrogate}/u.test(text)) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Column '${column}' cannot contain ${describeValue(text)}: half of a surrogate pair has no form in UTF-8`,
  );
}

/** The fields of a row as a JSON object. The names are `c0`, `c1`, …, in the order of the columns. */
export function rowJson(
  values: readonly unknown[],
  columns: readonly string[],
  forms: readonly ColumnForm[] = [],
): string {
  const fields = values.map((value, i) => {
    const column = columns[i] as string;
    if (value === null || value === undefined) return `"c${i}":null`;
    const text = forms[i] === 'json' ? jsonOf(value, column) : JSON.stringify(plainValue(value, column));
    return `"c${i}":${text}`;
  });
  return `{${fields.join(',')}}`;
}
