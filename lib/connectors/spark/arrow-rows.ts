/**
 * Rows of Arrow as objects.
 *
 * Guarantees: no value is rounded. Decimals, dates and timestamps are texts. An integer beyond 2^53 is refused, and
 * only its row with it.
 */
import type { Batch, DataType, Field, Table } from '@uwdata/flechette';
import { MillraceError } from '../../connect/index.js';
import type { ArrowPackage } from './spark-packages.js';

/** A row by column name. */
export type SparkFields = Record<string, unknown>;

/** The rows of one message. */
export interface ArrowRows {
  readonly count: number;
  readonly columns: readonly string[];
  /** The row at an index. Throws MILLRACE_SQL for a value that no record can contain. */
  row(index: number): SparkFields;
  /** The value of one column of a row. */
  value(index: number, column: string): unknown;
  /** The SQL type of a column that may be part of a key; undefined for any other column. */
  keyTypeOf(column: string): string | undefined;
}

/** The type of the pairs of a map. */
interface MapEntry {
  readonly children: readonly [{ readonly type: DataType }, { readonly type: DataType }];
}

type Convert = (value: never) => unknown;

/** Reads a message. Values are converted when their row is asked for. */
export function readArrow(arrow: ArrowPackage, data: Uint8Array): ArrowRows {
  // The copy is aligned: 8-byte numbers must begin at a multiple of eight, but a batch begins anywhere in its message.
  const table: Table = arrow.tableFromIPC(new Uint8Array(data), { useBigInt: true, useDecimalInt: true });
  const { fields } = table.schema;
  const columns = fields.map(({ name, type }, i) => {
    const { data: batches } = table.getChildAt(i) as { readonly data: readonly Batch<unknown>[] };
    if (batches.length > 1) throw new TypeError('Expected a message of Spark to contain one batch of rows');
    const [batch] = batches;
    return { name, read: readerOf(arrow, name, type, batch) };
  });
  return {
    count: table.numRows,
    columns: fields.map(({ name }) => name),
    row: (index) => {
      const row: SparkFields = {};
      for (const { name, read } of columns) row[name] = read(index);
      return row;
    },
    value: (index, column) => columns.find(({ name }) => name === column)?.read(index),
    keyTypeOf: (column) => {
      const type = fields.find(({ name }) => name === column)?.type;
      return type && keyType(arrow, type);
    },
  };
}

function readerOf(
  arrow: ArrowPackage,
  name: string,
  type: DataType,
  batch: Batch<unknown> | undefined,
): (index: number) => unknown {
  if (batch === undefined) return () => null;
  const convert = converterOf(arrow, name, type);
  if (type.typeId === arrow.Type.Timestamp) {
    // The reader of Arrow would divide by 1,000 and lose digits.
    const raw = batch.values as unknown as BigInt64Array;
    return (index) => (batch.at(index) === null ? null : convert(raw[index] as never));
  }
  return (index) => {
    const value = batch.at(index);
    return value === null || value === undefined ? null : convert(value as never);
  };
}

function converterOf(arrow: ArrowPackage, name: string, type: DataType): Convert {
  const { Type } = arrow;
  const each = (child: DataType): ((value: unknown) => unknown) => {
    const convert = converterOf(arrow, name, child);
    // Within lists and structures, timestamps come as fractions of milliseconds.
    const isTimestamp = child.typeId === Type.Timestamp;
    return (value) =>
      value === null || value === undefined
        ? null
        : convert((isTimestamp ? BigInt(Math.round((value as number) * 1000)) : value) as never);
  };
  switch (type.typeId) {
    case Type.Int:
      return type.bitWidth === 64 ? (value: bigint) => safeInteger(name, value) : itself;
    case Type.Bool:
    case Type.Float:
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Null:
      return itself;
    case Type.Binary:
    case Type.LargeBinary:
      // A view would keep the whole message in memory.
      return (value: Uint8Array) => value.slice();
    case Type.Date:
      return (value: number) => new Date(value).toISOString().slice(0, -'T00:00:00.000Z'.length);
    case Type.Timestamp:
      return (value: bigint) => timestampText(value) + (type.timezone === null ? '' : 'Z');
    case Type.Decimal:
      return (value: bigint | number) => decimalText(BigInt(value), type.scale);
    case Type.List:
    case Type.LargeList: {
      const [child] = type.children;
      const convert = each((child as { readonly type: DataType }).type);
      return (value: Iterable<unknown>) => Array.from(value, convert);
    }
    case Type.Struct: {
      if (type.children.some(isEncoded)) throw foreignType(name);
      const members = type.children.map((child) => ({ key: child.name, convert: each(child.type) }));
      return (value: Readonly<Record<string, unknown>>) =>
        Object.fromEntries(members.map(({ key, convert }) => [key, convert(value[key])]));
    }
    case Type.Map: {
      const [entry] = type.children;
      const [key, value] = (entry as unknown as { readonly type: MapEntry }).type.children;
      const [ofKey, ofValue] = [each(key.type), each(value.type)];
      const isNamed = key.type.typeId === Type.Utf8;
      return (pairs: Iterable<readonly [unknown, unknown]>): unknown => {
        const entries = Array.from(pairs, ([one, other]) => [ofKey(one), ofValue(other)] as const);
        return isNamed ? Object.fromEntries(entries) : entries;
      };
    }
    default:
      throw foreignType(name);
  }
}

/** Whether a field is a part of a VARIANT or of a place on the earth, which come as structures of bytes. */
function isEncoded(field: Field): boolean {
  // The type of the package does not say that most fields have none.
  const metadata = field.metadata as ReadonlyMap<string, string> | null;
  return metadata !== null && ENCODINGS.some((encoding) => metadata.has(encoding));
}

const ENCODINGS = ['variant', 'geometry', 'geography'] as const;

function foreignType(name: string): MillraceError {
  return new MillraceError(
    'MILLRACE_SQL',
    `Column '${name}' has a type that records do not have. Convert it in the query, for example CAST(\`${name}\` AS STRING)`,
  );
}

function itself(value: unknown): unknown {
  return value;
}

function safeInteger(name: string, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new MillraceError(
    'MILLRACE_SQL',
    `Column '${name}' contains ${value}, which a number cannot represent. Convert it in the query: CAST(\`${name}\` AS STRING)`,
  );
}

/** Microseconds since 1970 as an ISO text with six digits of the second, without a zone. */
function timestampText(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, -'.000Z'.length);
  return `${seconds}.${String(rest).padStart(6, '0')}`;
}

function decimalText(scaled: bigint, scale: number): string {
  if (scale <= 0) return String(scaled);
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(scale + 1, '0');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function keyType(arrow: ArrowPackage, type: DataType): string | undefined {
  const { Type } = arrow;
  if (type.typeId === Type.Utf8) return 'STRING';
  if (type.typeId === Type.Int) return 'BIGINT';
  if (type.typeId === Type.Date) return 'DATE';
  if (type.typeId === Type.Timestamp) return type.timezone === null ? 'TIMESTAMP_NTZ' : 'TIMESTAMP';
  if (type.typeId === Type.Decimal) return `DECIMAL(${type.precision}, ${type.scale})`;
  return undefined;
}
