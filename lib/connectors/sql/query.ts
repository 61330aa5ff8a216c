/**
 * A query as a source, whatever the database: its identity, and its rows as records.
 *
 * Guarantees: neither the name of a query nor its identity contains its parameters, which may be secrets.
 */
import { createHash } from 'node:crypto';
import {
  Rejected,
  validate,
  type ConnectorContext,
  type MillraceError,
  type OptionRule,
  type Schema,
  type SourceOptions,
} from '../../connect/index.js';
import { wrongStatement } from './sql-errors.js';

/** The options that the queries of all databases have. */
export interface QueryOptions<Out> extends SourceOptions<Out> {
  readonly query: string;
  readonly params?: readonly unknown[];
  readonly keyset?: readonly string[];
  readonly schema?: Schema<Out>;
}

/** The rule of `params`. */
export const parameters: OptionRule = { expected: 'an array', accepts: (value) => Array.isArray(value) };

/** A short name of the query, for datasets. */
export function nameOfQuery({ query }: QueryOptions<unknown>): string {
  return `query-${digest(query).slice(0, 12)}`;
}

/** A text that is different for queries that read other rows, or in another order. */
export function identityOfQuery({ query, params = [], keyset = [] }: QueryOptions<unknown>): string {
  return digest(JSON.stringify([query, params.map(textOf), keyset]));
}

/** The text of a parameter, different for 1 and '1'. For an object, it depends on its content. */
function textOf(param: unknown): string {
  if (typeof param !== 'object' || param === null) return `${typeof param} ${String(param)}`;
  // `String` of a Date has no milliseconds, and `String` of an object does not show its content.
  return JSON.stringify(param, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** Throws MILLRACE_SQL for columns that a record would lose: two of one name, and `__proto__`. */
export function assertDifferentColumns(names: readonly string[], of: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined && !names.includes('__proto__')) return;
  const what = twice === undefined ? "a column '__proto__'" : `two columns ${JSON.stringify(twice)}`;
  throw wrongStatement(of, `it has ${what}. Name it otherwise, with AS`, undefined);
}

/** Reports that a run cannot be resumed, unless the query has a keyset or the user has set `replayable`. */
export function checkResumable({ keyset, replayable }: QueryOptions<unknown>, context: ConnectorContext): void {
  if (keyset !== undefined || replayable !== undefined) return;
  context.cannotResume(
    `'${context.task}' has no \`keyset\`, so it cannot continue after the last row that it has read`,
  );
}

/** The record of a row. One that does not fit the schema is rejected with MILLRACE_SQL. */
export function recordOfRow<Out>(
  schema: Schema<Out> | undefined,
  fields: Readonly<Record<string, unknown>>,
  task: string,
): Out | Rejected {
  if (schema === undefined) return fields as Out;
  try {
    return validate(schema, fields, 'MILLRACE_SQL', `A row of '${task}'`);
  } catch (error) {
    // An asynchronous schema is a mistake in the task.
    if ((error as MillraceError).code !== 'MILLRACE_SQL') throw error;
    return new Rejected(fields, error);
  }
}

function digest(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
