/**
 * Names of tables and columns in SQL.
 *
 * Guarantees: a quoted name is one identifier, whatever it contains; no name can end its quotes.
 */
import { describeValue, MillraceError, type OptionRule } from '../../connect/index.js';

/** The name as an identifier of SQL. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Several names as a list. */
export function quotedList(names: readonly string[]): string {
  return names.map(quoted).join(', ');
}

/** The rule of a name: not empty, and without NUL, which ends strings. */
export const identifier: OptionRule = {
  expected: 'a name',
  accepts: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
};

/** The rule of a list of names, each once. */
export const identifiers: OptionRule = {
  expected: 'an array of different names, at least one',
  accepts: (value) =>
    Array.isArray(value) && value.length > 0 && value.every(identifier.accepts) && new Set(value).size === value.length,
};

/** The rule of the types of columns, by their names. */
export const columnTypes: OptionRule = {
  expected: "an object such as { id: 'BIGINT' }, with at least one column",
  accepts: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(value).length > 0 &&
    Object.entries(value).every(([name, type]) => identifier.accepts(name) && typeof type === 'string' && type !== ''),
};

/** Throws MILLRACE_INVALID_OPTION if the name is not among the known ones. */
export function assertKnownColumn(of: string, name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `${of} has no column ${describeValue(name)}. Its columns: ${known.join(', ')}`,
  );
}
