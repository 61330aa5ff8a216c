/**
 * The values of DuckDB as values of JavaScript, by the type of their column.
 *
 * Guarantees: each type has one form in JavaScript. Whole numbers and decimals are never rounded; a moment is rounded
 * down to milliseconds. Bytes are copies. A type without a rule is refused before the first row, by an error that names
 * the fix.
 */
import type {
  DuckDBArrayValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import { FatalTaskError } from '../../connect/index.js';
import { duckdbPackage } from './duckdb-package.js';
import type { ResultColumn } from './duckdb-session.js';
import { LargeInteger, quoteLarge, reviveLarge } from '../json/large-integers.js';

/** Converts a value that is not NULL to JavaScript. */
type Reading = (value: DuckDBValue) => unknown;

/** Reads the values of a column, NULL as null. Throws MILLRACE_SQL for a type without a rule. */
export function readingOf({ name, type }: ResultColumn, of: string): Reading {
  const read = readingOfType(type);
  if (read !== undefined) return (value) => (value === null ? null : read(value));
  throw new FatalTaskError(
    'MILLRACE_SQL',
    `${of} has a column ${JSON.stringify(name)} of the type ${type.toString()}, which has no form in JavaScript. Convert it in the SELECT, for example with CAST(… AS VARCHAR)`,
  );
}

function readingOfType(type: DuckDBType): Reading | undefined {
  const { DuckDBTypeId: Id } = duckdbPackage();
  switch (type.typeId) {
    case Id.BOOLEAN:
    case Id.TINYINT:
    case Id.SMALLINT:
    case Id.INTEGER:
    case Id.UTINYINT:
    case Id.USMALLINT:
    case Id.UINTEGER:
    case Id.FLOAT:
    case Id.DOUBLE:
    case Id.ENUM:
    case Id.SQLNULL:
      return asItIs;
    case Id.VARCHAR:
      return type.alias === 'JSON' ? json : asItIs;
    case Id.BIGINT:
    case Id.UBIGINT:
    case Id.HUGEINT:
    case Id.UHUGEINT:
    case Id.BIGNUM:
      return wholeNumber;
    case Id.DATE:
      return day;
    case Id.DECIMAL:
    case Id.TIME:
    case Id.TIME_TZ:
    case Id.INTERVAL:
    case Id.UUID:
    case Id.BIT:
      return asText;
    case Id.TIMESTAMP:
      return moment<DuckDBTimestampValue>(({ micros }) => micros, 1000n);
    case Id.TIMESTAMP_TZ:
      return moment<DuckDBTimestampTZValue>(({ micros }) => micros, 1000n);
    case Id.TIMESTAMP_NS:
      return moment<DuckDBTimestampNanosecondsValue>(({ nanos }) => nanos, 1_000_000n);
    case Id.TIMESTAMP_MS:
      return moment<DuckDBTimestampMillisecondsValue>(({ millis }) => millis, 1n);
    case Id.TIMESTAMP_S:
      return moment<DuckDBTimestampSecondsValue>(({ seconds }) => seconds * 1000n, 1n);
    case Id.BLOB:
      return (value) => Uint8Array.from((value as unknown as { readonly bytes: Uint8Array }).bytes);
    case Id.LIST:
      return listOf(type.valueType);
    case Id.ARRAY:
      return listOf(type.valueType);
    case Id.STRUCT:
      return structOf(type);
    case Id.MAP:
      return mapOf(type);
    default:
      return undefined;
  }
}

const asItIs: Reading = (value) => value;
const asText: Reading = (value) => String(value);
/** An integer that a number cannot hold becomes a bigint, as in a column of BIGINT. */
const json: Reading = (value) => {
  const text = value as string;
  const marked = quoteLarge(text, 'refuse');
  if (marked === text) return JSON.parse(text) as unknown;
  return JSON.parse(marked, (key, part: unknown) => {
    const revived = reviveLarge(key, part);
    return revived instanceof LargeInteger ? BigInt(revived.digits) : revived;
  }) as unknown;
};

/** A number, unless a number would round it: then a bigint. */
const wholeNumber: Reading = (value) => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
};

/** A text such as '2024-02-29'. The package prints an infinite date as one of the year 5,881,580. */
const day: Reading = (value) => {
  const own = value as DuckDBDateValue;
  if (own.isFinite) return own.toString();
  return own.days > 0 ? 'infinity' : '-infinity';
};

/** Returns a Date; `infinity` and `-infinity`, which no Date represents, become Infinity and -Infinity. */
function moment<Value extends { readonly isFinite?: boolean }>(
  ticksOf: (value: Value) => bigint,
  perMillisecond: bigint,
): Reading {
  return (value) => {
    const own = value as unknown as Value;
    const ticks = ticksOf(own);
    if (own.isFinite === false) return ticks > 0n ? Infinity : -Infinity;
    const remainder = ((ticks % perMillisecond) + perMillisecond) % perMillisecond;
    const date = new Date(Number((ticks - remainder) / perMillisecond));
    if (!Number.isNaN(date.getTime())) return date;
    throw new FatalTaskError(
      'MILLRACE_SQL',
      `No Date can hold ${String(value)}. Convert the column in the SELECT, for example with CAST(… AS VARCHAR)`,
    );
  };
}

function listOf(type: DuckDBType): Reading | undefined {
  const read = readingOfType(type);
  if (read === undefined) return undefined;
  return (value) =>
    (value as DuckDBListValue | DuckDBArrayValue).items.map((item) => (item === null ? null : read(item)));
}

function structOf({ entryNames, entryTypes }: DuckDBStructType): Reading | undefined {
  const reads = entryTypes.map(readingOfType);
  if (reads.includes(undefined)) return undefined;
  return (value) => {
    const { entries } = value as DuckDBStructValue;
    return Object.fromEntries(
      entryNames.map((name, i) => {
        const entry = entries[name] as DuckDBValue;
        return [name, entry === null ? null : (reads[i] as Reading)(entry)];
      }),
    );
  };
}

/** A key may be of any type, so a MAP is a list of its entries. */
function mapOf({ keyType, valueType }: DuckDBMapType): Reading | undefined {
  const readKey = readingOfType(keyType);
  const readValue = readingOfType(valueType);
  if (readKey === undefined || readValue === undefined) return undefined;
  return (map) =>
    (map as DuckDBMapValue).entries.map(({ key, value }) => ({
      key: key === null ? null : readKey(key),
      value: value === null ? null : readValue(value),
    }));
}
