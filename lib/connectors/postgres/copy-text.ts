/**
 * Values in the text format of COPY.
 *
 * Guarantees: the server reads the same values as from JSON; a value that the format cannot represent throws.
 */
import { describeValue, MillraceError } from '../../connect/index.js';
import { assertWellFormed, jsonOf, plainValue, type ColumnForm } from './row-json.js';

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

/** One row as a line, with its line end. */
export function copyLine(values: readonly unknown[], forms: readonly ColumnForm[], columns: readonly string[]): string {
  const fields = values.map((value, i) => {
    const text = columnText(value, forms[i] as ColumnForm, columns[i] as string);
    if (text === null) return '\\N';
    assertWellFormed(text, columns[i] as string);
    return text.replace(/[\\\b\f\n\r\t\v]/g, (character) => ESCAPES[character] as string);
  });
  return `${fields.join('\t')}\n`;
}

function columnText(value: unknown, form: ColumnForm, column: string): string | null {
  if (value === null || value === undefined) return null;
  if (form === 'json') return jsonOf(value, column);
  const plain = plainValue(value, column);
  if (form === 'array' && Array.isArray(plain)) return arrayText(plain);
  if (typeof plain === 'object') {
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `Column '${column}' cannot contain ${describeValue(value)}: only columns of json, jsonb and arrays contain objects and lists`,
    );
  }
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}

/** A literal of an array: each element in quotes. */
function arrayText(items: readonly unknown[]): string {
  const elements = items.map((item) => {
    if (item === null || item === undefined) return 'NULL';
    if (Array.isArray(item)) return arrayText(item);
    const text = typeof item === 'string' ? item : JSON.stringify(item);
    return `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${elements.join(',')}}`;
}
