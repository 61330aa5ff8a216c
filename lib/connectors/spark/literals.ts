/** Values as arguments of SQL. */
import { describeValue, MillraceError, type OptionRule } from '../../connect/index.js';
import type { Literal, Relation } from './protocol/messages.js';

/**
 * A value that can be an argument of a query. A Date is a TIMESTAMP; a whole number is a BIGINT, any other a DOUBLE.
 */
export type SparkValue = string | number | bigint | boolean | Date | Uint8Array | null;

/** The rule of `args`. */
export const sparkArguments: OptionRule = {
  expected: 'an object with the values of the named parameters: texts, numbers, flags, Dates, bytes or null',
  accepts: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isSparkValue),
};

/** A query with its arguments. Throws MILLRACE_INVALID_INPUT for a value that SQL does not have. */
export function sqlRelation(query: string, args: Readonly<Record<string, SparkValue>> = {}): Relation {
  const named = Object.entries(args).map(([key, value]) => ({ key, value: { literal: literalOf(key, value) } }));
  return { sql: { query, named } };
}

function literalOf(name: string, value: unknown): Literal {
  if (value === null) return { null: { null: {} } };
  if (typeof value === 'string') return { string: value };
  if (typeof value === 'boolean') return { boolean: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) && !Object.is(value, -0) ? { long: value } : { double: value };
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return { long: value };
  if (value instanceof Date && !Number.isNaN(value.getTime())) return { timestamp: BigInt(value.getTime()) * 1000n };
  if (value instanceof Uint8Array) return { binary: value };
  throw new MillraceError(
    'MILLRACE_INVALID_INPUT',
    `Expected the argument '${name}' to be a text, a number, a flag, a Date, bytes or null, got ${describeValue(value)}`,
  );
}

function isSparkValue(value: unknown): boolean {
  return (
    value === null ||
    ['string', 'number', 'bigint', 'boolean'].includes(typeof value) ||
    value instanceof Date ||
    value instanceof Uint8Array
  );
}
