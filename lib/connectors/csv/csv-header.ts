/**
 * Checks that the header of a CSV file has the required columns.
 *
 * Guarantees: a header that would lose or mix up fields (a duplicate name, a missing column, another delimiter, no
 * header at all) is refused. The error names the columns that were found, the columns that were expected, and the
 * option or change that fixes it.
 */
import { MillraceError, nearest } from '../../connect/values.js';

export interface HeaderFacts {
  readonly path: string;
  readonly line: number;
  readonly names: readonly string[];
  /** Columns that must be there. */
  readonly columns: readonly string[];
  readonly delimiter: string;
  /** Whether quotes are around one of the names. Then a delimiter in a name is a part of it. */
  readonly isQuoted: boolean;
}

/**
 * The names of the columns: a column without a name gets the name `column` and its number, so that its fields are not
 * lost.
 */
export function namesFor(header: readonly string[]): string[] {
  const used = new Set(header);
  return header.map((name, index) => {
    if (name !== '') return name;
    let made = `column${index + 1}`;
    while (used.has(made)) made += '_';
    used.add(made);
    return made;
  });
}

/** Throws MILLRACE_CSV if the header cannot be used. */
export function checkHeader(facts: HeaderFacts): void {
  const { path, line, names, columns } = facts;
  const refuse = (what: string): never => {
    throw new MillraceError('MILLRACE_CSV', `${path}, line ${line}: ${what}`);
  };
  const missing = columns.filter((column) => !names.includes(column));
  const delimiter = otherDelimiter(facts, missing);
  if (delimiter !== undefined) {
    refuse(
      `the header is one column, '${cut(names[0] ?? '')}'; did you mean the delimiter ${nameOf(delimiter)}? ` +
        `Set the option \`delimiter\` to ${nameOf(delimiter)}`,
    );
  }
  const doubled = duplicatesOf(names);
  if (doubled.length > 0) {
    refuse(
      `the header names ${list(doubled)} more than once, so fields would be lost; rename all but one, or name all columns in \`columns\` and set \`header\` to 'replace'`,
    );
  }
  if (names.includes('__proto__'))
    refuse(
      "the header has a column '__proto__', which no object can hold; rename it, or name all columns in `columns` and set `header` to 'replace'",
    );
  if (missing.length === 0) return;
  const had = `it has ${list(names)}`;
  if (missing.length === columns.length && names.length >= columns.length) {
    const trimmed = names.map((name) => name.trim());
    const isLikely = columns.every((column) => !trimmed.includes(column) && nearest(column, names) === undefined);
    if (isLikely) {
      refuse(
        `expected a header with ${list(columns)}, got ${list(names)}; ` +
          'add a header row, or set the option `header` to false if the file has none',
      );
    }
  }
  refuse(`the header lacks ${list(missing)}; ${had}. ${meant(missing, names, columns)}`);
}

/** The names that occur more than once. Columns without a name may, because no option can refer to them. */
export function duplicatesOf(names: readonly string[]): string[] {
  const seen = new Set<string>();
  const doubled = new Set<string>();
  for (const name of names) {
    if (name === '') continue;
    if (seen.has(name)) doubled.add(name);
    seen.add(name);
  }
  return [...doubled];
}

/** 'a', 'b' and 'c', cut to a readable length. */
export function list(names: readonly string[], limit = 12): string {
  const shown = names.slice(0, limit).map((name) => `'${cut(name)}'`);
  if (names.length > limit) return `${shown.join(', ')} and ${names.length - limit} more`;
  const last = shown.pop();
  return shown.length === 0 ? (last ?? 'no columns') : `${shown.join(', ')} and ${last ?? ''}`;
}

function meant(missing: readonly string[], names: readonly string[], columns: readonly string[]): string {
  const free = names.filter((name) => name !== '' && !columns.includes(name));
  const blank = missing.flatMap((column) => free.filter((name) => name !== column && name.trim() === column));
  if (blank.length > 0) {
    return (
      `Blanks are part of a name: ${list(blank)}. ` +
      (blank.every((name) => columns.includes(name.replace(/^[ \t]+|[ \t]+$/g, '')))
        ? 'Remove them in the file, or set the option `trim` to true'
        : 'Remove them in the file')
    );
  }
  const pairs = missing.flatMap((column) => {
    const near = nearest(column, free);
    return near === undefined ? [] : [`'${near}' for '${column}'`];
  });
  return pairs.length > 0
    ? `Did you mean ${pairs.join(', ')}? Rename the column in the file or in the option \`columns\``
    : 'Add the column to the file, or take it out of the option `columns`';
}

/** Returns the delimiter that splits a header of one name into several columns; undefined if there is none. */
function otherDelimiter(
  { names, columns, delimiter, isQuoted }: HeaderFacts,
  missing: readonly string[],
): string | undefined {
  const [only] = names;
  if (names.length !== 1 || only === undefined || isQuoted) return undefined;
  // A single column may have any name if the options name it.
  if (columns.length > 0 && missing.length === 0) return undefined;
  return DELIMITERS.find((other) => other !== delimiter && only.includes(other));
}

const DELIMITERS = [',', ';', '\t', '|'];

/** The delimiter after the first quoted name of a header, if it differs from the given one. */
export function delimiterAfterQuote(text: string, delimiter: string): string | undefined {
  const [, behind] = /^"(?:[^"]|"")*"(.)/.exec(text) ?? [];
  return DELIMITERS.find((other) => other !== delimiter && other === behind);
}

/** The delimiter for messages. */
export function nameOf(delimiter: string): string {
  return delimiter === '\t' ? "'\\t' (tab)" : `'${delimiter}'`;
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
