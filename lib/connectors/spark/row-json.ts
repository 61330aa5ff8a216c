/** A row as JSON that `from_json` of Spark reads. */
import { describeValue, MillraceError } from '../../connect/index.js';

/**
 * The fields of these columns as one object. A Date is a text in UTC, bytes are base64, a bigint has all of its digits,
 * and NaN and the infinities are their names. Throws MILLRACE_INVALID_OUTPUT for a value that no column can contain.
 */
export function rowJson(fields: Readonly<Record<string, unknown>>, columns: readonly string[]): string {
  const texts = columns.map((column) => `${JSON.stringify(column)}:${jsonOf(fields[column] ?? null, column)}`);
  return `{${texts.join(',')}}`;
}

function jsonOf(value: unknown, at: string): string {
  if (value === null) return 'null';
  if (typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  if (value instanceof Date && !Number.isNaN(value.getTime())) return JSON.stringify(value.toISOString());
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (Array.isArray(value)) return `[${value.map((item, i) => jsonOf(item ?? null, `${at}[${i}]`)).join(',')}]`;
  if (typeof value === 'object' && !(value instanceof Date)) {
    const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return `{${fields.map(([key, inner]) => `${JSON.stringify(key)}:${jsonOf(inner, `${at}.${key}`)}`).join(',')}}`;
  }
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected '${at}' to be a value for a table of Spark, got ${describeValue(value)}`,
  );
}
