/**
 * Values of JavaScript as values of a column of DuckDB.
 *
 * Guarantees: nothing is rounded, cut or guessed. A value that does not fit the type of its column is an error that
 * names the column, so the failure policy ends that record only. A value that a source of DuckDB has read can be
 * written to a column of the same type, if Parquet has the type, except for a bigint within JSON.
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
    case Id.TIME:
      return time;
    case Id.UUID:
      return (value) =>
        typeof value === 'string' && UUID.test(value)
          ? duckdb.uuidValue(BigInt(`0x${value.replaceAll('-', '')}`))
          : undefined;
    case Id.TIMESTAMP:
      return moment(duckdb.DuckDBTimestampValue);
    case Id.TIMESTAMP_TZ:
      return moment(duckdb.DuckDBTimestampTZValue);
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

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;
const DAY_MICROS = 86_400_000_000n;

/** Accepts a text such as '12:34:56.5', up to '24:00:00'. */
const time: Writing = (value) => {
  const parts = typeof value === 'string' ? TIME.exec(value) : null;
  if (parts === null) return undefined;
  const [, hours, minutes, seconds, fraction = ''] = parts;
  if (Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  const micros = whole * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
  return micros <= DAY_MICROS ? duckdbPackage().timeValue(micros) : undefined;
};

const DAY_MS = 86_400_000;
/** As DuckDB prints it: years of at least four digits, and those before the year 1 with a mark. */
const DATE = /^(\d{4,})-(\d\d)-(\d\d)( \(BC\))?$/;

/** Accepts a text such as '2024-02-29', 'infinity' and '-infinity', and a Date at midnight in UTC. */
const date: Writing = (value) => {
  const { DuckDBDateValue, dateValue } = duckdbPackage();
  if (value === 'infinity') return DuckDBDateValue.PosInf;
  if (value === '-infinity') return DuckDBDateValue.NegInf;
  const at = typeof value === 'string' ? dayOf(value) : isDate(value) ? value.getTime() : NaN;
  return Number.isNaN(at) || at % DAY_MS !== 0 ? undefined : dateValue(at / DAY_MS);
};

/** The beginning of the day in milliseconds since 1970; NaN if there is no such day. */
function dayOf(text: string): number {
  const parts = DATE.exec(text);
  if (parts === null) return NaN;
  const [year, month, day] = parts.slice(1, 4).map(Number) as [number, number, number];
  const at = new Date(0).setUTCFullYear(parts[4] === undefined ? year : 1 - year, month - 1, day);
  const found = new Date(at);
  // A Date turns 31 February into a day in March.
  return found.getUTCMonth() === month - 1 && found.getUTCDate() === day && year > 0 ? at : NaN;
}

/** Accepts a Date, and Infinity and -Infinity as they are read. */
function moment<Value extends DuckDBValue>(kind: {
  readonly PosInf: Value;
  readonly NegInf: Value;
  new (micros: bigint): Value;
}): Writing {
  return (value) => {
    if (value === Infinity) return kind.PosInf;
    if (value === -Infinity) return kind.NegInf;
    return isDate(value) && !Number.isNaN(value.getTime()) ? new kind(BigInt(value.getTime()) * 1000n) : undefined;
  };
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
