/**
 * Reads the rows of a query in the order of a key, from any value of the key on.
 *
 * Guarantees: the query is used as it is, within a query around it; the values of the key are parameters. Two rows with
 * one key, or a row without one, fail the run: after a resume such rows would be lost.
 */
import { describeValue, MillraceError } from '../../connect/index.js';
import { quoted } from './identifiers.js';

/** A query that can be continued. */
export interface KeysetQuery {
  /** The query of the user. */
  readonly query: string;
  /** The columns of the key, in order. */
  readonly keyset: readonly string[];
  /** Whether only the rows after a key are read. */
  readonly isContinued: boolean;
  /** Returns the text of the parameter for the key with this index, from 0. */
  readonly parameter: (index: number) => string;
}

/** The query as a whole. Without a key it is the query of the user. */
export function keysetQuery({ query, keyset, isContinued, parameter }: KeysetQuery): string {
  const inner = withoutEnd(query);
  if (keyset.length === 0) return inner;
  const columns = keyset.map((name) => `"q".${quoted(name)}`).join(', ');
  const after = isContinued ? ` WHERE (${columns}) > (${keyset.map((_, i) => parameter(i)).join(', ')})` : '';
  // The line ends prevent a comment at the end of the query from hiding the text after it.
  return `SELECT * FROM (\n${inner}\n) AS "q"${after} ORDER BY ${columns}`;
}

/** A statement without the semicolon that ends it. */
export function withoutEnd(statement: string): string {
  return statement.replace(/[\s;]+$/, '');
}

/** Throws MILLRACE_SQL if the key is missing in a row, or is that of the row before. */
export function assertKey(
  task: string,
  keyset: readonly string[],
  key: readonly unknown[],
  last: readonly unknown[] | undefined,
): void {
  const missing = key.findIndex((value) => value === null);
  if (missing >= 0) {
    throw new MillraceError(
      'MILLRACE_SQL',
      `Source '${task}' read a row without a value in ${quoted(keyset[missing] as string)}. Choose a \`keyset\` that has a value in each row`,
    );
  }
  if (last?.every((value, i) => value === key[i]) === true) {
    throw new MillraceError(
      'MILLRACE_SQL',
      `Source '${task}' read two rows with the key ${describeValue(key)}. Choose a \`keyset\` that is different in each row, such as the primary key`,
    );
  }
}
