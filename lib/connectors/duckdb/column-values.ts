/**
 * Values of JavaScript as values of a column of DuckDB.
 *
 * Guarantees: nothing is rounded, cut or guessed. A value that does not fit the type of its column is an error that
 * names the column, so the failure policy ends that record only. A value that a source of DuckDB has read can be
 * written to a column of the same type, except for a bigint within JSON.
 */
import { isDate, isUint8Array } from 'node:util/types';
import type { DuckDBDecimalType, DuckDBListType, DuckDBStructType, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import { describeValue, MillraceError } from '../../connect/index.js';
import { jsonText } from '../json/json-text.js';
import { duckdbPackage } from './duckdb-package.js';
import type { ResultColumn } from './duckdb-session.js';

/** Makes the value of the column; undefined if it does not fit. The value is neither null nor undefined. */
type Writing = (value: unknown) => DuckDBValue | undefined;

/**
 * Makes the values of a column, null and undefined as NULL. Throws MILLRACE_INVALID_OPTION for a type that cannot be
 * written.
 */
export function writingOf({ name, type }: ResultColumn, task: string): (value: unknown) => DuckDBValue {
  const write = writingOfType(type);
  if (write === undefined) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `The column ${JSON.stringify(name)} of '${task}' has the type ${type.toString()}, which cannot be written. Choose one of the table in the guide`,
    );
  }
  return (value) => {
    if (value === null || value === undefined) return null;
    const made = write(value);
    if (made !== undefined) return made;
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `The column ${JSON.stringify(name)} of '${task}' has the type ${type.toString()}, and cannot contain ${describeValue(value)}`,
    );
  };
}

/** Parquet has no type for a HUGEINT: DuckDB writes a DOUBLE, which rounds most of them. */
const exactDouble: Writing = (value) => {
  const made = large(-(2n ** 127n), 2n ** 127n - 1n)(value);
  return typeof made === 'bigint' && BigInt(Number(made)) === made ? made : undefined;
};

function writingOfType(type: DuckDBType): Writing | undefined {
  const duckdb = duckdbPackage();
  const { DuckDBTypeId: Id } = duckdb;
  switch (type.typeId) {
    case Id.BOOLEAN:
      return (value) => (typeof value === 'boolean' ? value : undefined);
    case Id.TINYINT:
      return small(-128, 127);
    case Id.SMALLINT:
      return small(-32_768, 32_767);
    case Id.INTEGER:
      return small(-2_147_483_648, 2_147_483_647);
    case Id.UTINYINT:
      return small(0, 255);
    case Id.USMALLINT:
      return small(0, 65_535);
    case Id.UINTEGER:
      return small(0, 4_294_967_295);
    case Id.BIGINT:
      return large(-(2n ** 63n), 2n ** 63n - 1n);
    case Id.UBIGINT:
      return large(0n, 2n ** 64n - 1n);
    case Id.HUGEINT:
      return exactDouble;
    case Id.DOUBLE:
      return (value) => (typeof value === 'number' ? value : undefined);
    case Id.FLOAT:
      return (value) => (typeof value === 'number' && Object.is(Math.fround(value), value) ? value : undefined);
    case Id.DECIMAL:
      return decimal(type);
    case Id.VARCHAR:
      return type.alias === 'JSON' ? json : wellFormed;
    case Id.DATE:
      return date;
    case Id.TIMESTAMP:
      return (value) => {
        const at = millisOf(value);
        return at === undefined ? undefined : duckdb.timestampValue(at * 1000n);
      };
    case Id.TIMESTAMP_TZ:
      return (value) => {
        const at = millisOf(value);
        return at === undefined ? undefined : duckdb.timestampTZValue(at * 1000n);
      };
    case Id.BLOB:
      return (value) => (isUint8Array(value) ? duckdb.blobValue(value) : undefined);
    case Id.LIST:
      return list(type);
    case Id.STRUCT:
      return struct(type);
    default:
      return undefined;
  }
}

function small(least: number, most: number): Writing {
  return (value) => {
    const number = typeof value === 'bigint' ? Number(value) : value;
    return Number.isInteger(number) && (number as number) >= least && (number as number) <= most
      ? (number as number)
      : undefined;
  };
}

function large(least: bigint, most: bigint): Writing {
  return (value) => {
    const whole = typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
    return typeof whole === 'bigint' && whole >= least && whole <= most ? whole : undefined;
  };
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?$/;

/** Accepts whole numbers, and texts such as '12.30', if no digit is lost. */
function decimal({ width, scale }: DuckDBDecimalType): Writing {
  const { decimalValue } = duckdbPackage();
  const most = 10n ** BigInt(width);
  return (value) => {
    const isNumber = typeof value === 'bigint' || typeof value === 'number';
    const parts = isNumber || typeof value === 'string' ? DECIMAL.exec(String(value)) : null;
    if (parts === null) return undefined;
    const [, sign, whole = '', after = ''] = parts;
    const fraction = after.replace(/0+$/, '');
    if (fraction.length > scale) return undefined;
    const digits = BigInt(whole + fraction.padEnd(scale, '0'));
    return digits < most ? decimalValue(sign === '-' ? -digits : digits, width, scale) : undefined;
  };
}

/** Refuses texts with half a surrogate pair, which UTF-8 cannot represent. */
const wellFormed: Writing = (value) => (typeof value === 'string' && !/\p{Surrogate}/u.test(value) ? value : undefined);

const DAY_MS = 86_400_000;

/** Accepts a text such as '2024-02-29', and a Date at midnight in UTC. */
const date: Writing = (value) => {
  const isText = typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value);
  const at = isText ? Date.parse(`${value}T00:00:00Z`) : isDate(value) ? value.getTime() : NaN;
  if (Number.isNaN(at) || at % DAY_MS !== 0) return undefined;
  // Date.parse turns 31 February into a day in March.
  if (isText && new Date(at).toISOString().slice(0, 10) !== value) return undefined;
  return duckdbPackage().dateValue(at / DAY_MS);
};

function millisOf(value: unknown): bigint | undefined {
  return isDate(value) && !Number.isNaN(value.getTime()) ? BigInt(value.getTime()) : undefined;
}

const json: Writing = (value) => {
  let text: string;
  try {
    text = jsonText(value);
  } catch {
    return undefined;
  }
  // DuckDB cannot read half of a surrogate pair, so it could not read the file.
  return /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(text) ? undefined : text;
};

function list({ valueType }: DuckDBListType): Writing | undefined {
  const write = writingOfType(valueType);
  if (write === undefined) return undefined;
  return (value) => {
    if (!Array.isArray(value)) return undefined;
    const items = value.map((item: unknown) => (item === null || item === undefined ? null : write(item)));
    return items.includes(undefined) ? undefined : duckdbPackage().listValue(items as DuckDBValue[]);
  };
}

/** Accepts an object that has only properties of the type. A missing property is NULL. */
function struct({ entryNames, entryTypes }: DuckDBStructType): Writing | undefined {
  const writes = entryTypes.map(writingOfType);
  if (writes.includes(undefined)) return undefined;
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (Object.keys(value).some((name) => !entryNames.includes(name))) return undefined;
    const entries = entryNames.map((name, i) => {
      const entry = (value as Record<string, unknown>)[name];
      return entry === null || entry === undefined ? null : (writes[i] as Writing)(entry);
    });
    if (entries.includes(undefined)) return undefined;
    return duckdbPackage().structValue(
      Object.fromEntries(entryNames.map((name, i) => [name, entries[i] as DuckDBValue])),
    );
  };
}
