/** Values as SQLite stores them: texts, numbers and bytes. */
import { describeThrown, describeValue, MillraceError } from '../../connect/index.js';
import { jsonText } from '../json/json-text.js';
import type { SqliteStored } from '../../storage/sqlite.js';

/**
 * The value in the form in which it is stored: booleans as 1 and 0, dates as text in UTC, objects and lists as JSON.
 * Throws MILLRACE_INVALID_OUTPUT for a value that has no such form.
 */
export function storedValue(value: unknown, of: string): SqliteStored {
  switch (typeof value) {
    case 'undefined':
      return null;
    case 'string':
      // SQLite replaces half of a surrogate pair.
      if (/\p{Surrogate}/u.test(value)) break;
      return value;
    case 'bigint':
      // The packages would wrap it.
      if (value !== BigInt.asIntN(64, value)) break;
      return value;
    case 'number':
      // SQLite stores NaN as NULL.
      if (Number.isNaN(value)) break;
      return value;
    case 'boolean':
      return value ? 1 : 0;
    case 'object':
      if (value === null || value instanceof Uint8Array) return value;
      if (value instanceof Date && Number.isNaN(value.getTime())) break;
      return value instanceof Date ? value.toISOString() : jsonOf(value, of);
    default:
      break;
  }
  throw new MillraceError('MILLRACE_INVALID_OUTPUT', `${of} cannot contain ${describeValue(value)}`);
}

/** The text of an object or a list. A part that JSON would change or drop throws. */
function jsonOf(value: object, of: string): string {
  try {
    return jsonText(value);
  } catch (error) {
    throw new MillraceError('MILLRACE_INVALID_OUTPUT', `${of}: ${describeThrown(error)}`, { cause: error });
  }
}
