/**
 * Values of Arrow, read from the buffers of a message.
 *
 * The package that parses messages also reads values, but it makes a bigint of each 64-bit integer, calls a decoder for
 * each text, removes a byte order mark from texts, and divides timestamps. So only its buffers are used.
 *
 * Guarantees: no value is rounded. Decimals, dates and timestamps are texts. An integer beyond 2^53 is refused, and only
 * its row with it. No value keeps the memory of its message.
 */
import { isAscii } from 'node:buffer';
import type { Batch, DataType, Field } from '@uwdata/flechette';
import { MillraceError } from '../../connect/index.js';
import type { ArrowPackage } from './spark-packages.js';

/** Returns the value at an index of a batch; null for NULL. */
export type ReadValue = (index: number) => unknown;

type AnyBatch = Batch<unknown>;

/** Returns the reader of a column, or of a part of one. Throws MILLRACE_SQL for a type that records do not have. */
export function valueReader(arrow: ArrowPackage, name: string, type: DataType, batch: AnyBatch): ReadValue {
  if (type.typeId === arrow.Type.Null) return () => null;
  const read = presentReader(arrow, name, type, batch);
  const { nullCount, validity } = batch;
  if (nullCount === 0 || validity.length === 0) return read;
  return (index) => (((validity[index >> 3] as number) >> (index & 7)) & 1 ? read(index) : null);
}

/** Reads values that are not NULL. */
function presentReader(arrow: ArrowPackage, name: string, type: DataType, batch: AnyBatch): ReadValue {
  const { Type } = arrow;
  const child = (part: Field, of: AnyBatch): ReadValue => valueReader(arrow, name, part.type, of);
  const { values, offsets, children } = batch as unknown as Buffers;
  switch (type.typeId) {
    case Type.Bool: {
      const bits = values as Uint8Array;
      return (index) => (((bits[index >> 3] as number) >> (index & 7)) & 1) === 1;
    }
    case Type.Int:
      return type.bitWidth === 64 ? safeIntegers(name, values as BigInt64Array) : (index) => values[index];
    case Type.Float:
      return (index) => values[index];
    case Type.Utf8:
    case Type.LargeUtf8:
      return texts(values as Uint8Array, offsets, batch.length);
    case Type.Binary:
    case Type.LargeBinary:
      // A view would keep the whole message in memory.
      return (index) => (values as Uint8Array).slice(Number(offsets[index]), Number(offsets[index + 1]));
    case Type.Date:
      return (index) => dayText(values[index] as number);
    case Type.Timestamp:
      return timestamps(values as BigInt64Array, type.timezone === null ? '' : 'Z');
    case Type.Decimal:
      return decimals(values as BigUint64Array, type.scale, batch as Batch<number | bigint>);
    case Type.List:
    case Type.LargeList: {
      const [item] = type.children as readonly [Field];
      const read = child(item, children[0] as AnyBatch);
      return (index) => {
        const items: unknown[] = [];
        const end = Number(offsets[index + 1]);
        for (let i = Number(offsets[index]); i < end; i++) items.push(read(i));
        return items;
      };
    }
    case Type.Struct: {
      if (type.children.some(isEncoded)) throw foreignType(name);
      const members = type.children.map((one, i) => [one.name, child(one, children[i] as AnyBatch)] as const);
      return (index) => Object.fromEntries(members.map(([key, read]) => [key, read(index)]));
    }
    case Type.Map: {
      const [entries] = children as readonly [AnyBatch];
      const [key, value] = (entries.type as unknown as { readonly children: readonly [Field, Field] }).children;
      const [keys, of] = (entries as unknown as Buffers).children as readonly [AnyBatch, AnyBatch];
      const [readKey, readItem] = [child(key, keys), child(value, of)];
      const isNamed = key.type.typeId === Type.Utf8 || key.type.typeId === Type.LargeUtf8;
      return (index): unknown => {
        const pairs: [unknown, unknown][] = [];
        const end = Number(offsets[index + 1]);
        for (let i = Number(offsets[index]); i < end; i++) pairs.push([readKey(i), readItem(i)]);
        return isNamed ? Object.fromEntries(pairs as [string, unknown][]) : pairs;
      };
    }
    default:
      throw foreignType(name);
  }
}

/** The parts of a batch, depending on its type. */
interface Buffers {
  readonly values: ArrayLike<number | bigint>;
  readonly offsets: ArrayLike<number | bigint>;
  readonly children: readonly AnyBatch[];
}

/** V8 copies a part of a text that is shorter; a longer part keeps the whole text in memory. */
const SHORTEST_SLICE = 13;

function texts(bytes: Uint8Array, offsets: ArrayLike<number | bigint>, count: number): ReadValue {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const from = (index: number): number => Number(offsets[index] ?? 0);
  const [first, last] = [from(0), from(count)];
  const isLatin = isAscii(buffer.subarray(first, last));
  if (!isLatin) return (index) => buffer.toString('utf8', from(index), from(index + 1));
  const all = buffer.toString('latin1', first, last);
  return (index) => {
    const [begin, end] = [from(index), from(index + 1)];
    // A call of the decoder takes several times as long as to cut a short text.
    return end - begin < SHORTEST_SLICE
      ? all.substring(begin - first, end - first)
      : buffer.toString('latin1', begin, end);
  };
}

const HIGH = 2 ** 32;

/** The 64-bit integers of an array as halves: a bigint per value would take several times as long. */
function halvesOf(values: BigInt64Array | BigUint64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

function safeIntegers(name: string, values: BigInt64Array): ReadValue {
  const halves = halvesOf(values);
  return (index) => {
    const number = (halves[2 * index + 1] as number) * HIGH + ((halves[2 * index] as number) >>> 0);
    if (Number.isSafeInteger(number)) return number;
    throw new MillraceError(
      'MILLRACE_SQL',
      `Column '${name}' contains ${values[index]}, which a number cannot represent. Convert it in the query: CAST(\`${name}\` AS STRING)`,
    );
  };
}

const DAY_MS = 86_400_000;

/** Days since 1970 as an ISO text. */
function dayText(days: number): string {
  return new Date(days * DAY_MS).toISOString().slice(0, -'T00:00:00.000Z'.length);
}

/** Microseconds since 1970 as ISO texts with six digits of the second. */
function timestamps(values: BigInt64Array, zone: string): ReadValue {
  return (index) => {
    const micros = values[index] as bigint;
    const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
    const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, -'.000Z'.length);
    return `${seconds}.${String(rest).padStart(6, '0')}${zone}`;
  };
}

/** @param batch reads decimals of any width as integers */
function decimals(values: BigUint64Array, scale: number, batch: Batch<number | bigint>): ReadValue {
  const isWide = values.length === 2 * batch.length;
  const halves = isWide ? halvesOf(values) : new Int32Array();
  return (index) => {
    if (isWide) {
      const [low, high] = [halves[4 * index] as number, halves[4 * index + 1] as number];
      const sign = high >> 31;
      const number = high * HIGH + (low >>> 0);
      if (halves[4 * index + 2] === sign && halves[4 * index + 3] === sign && Number.isSafeInteger(number)) {
        return decimalText(number, scale);
      }
    }
    return decimalText(batch.value(index), scale);
  };
}

function decimalText(scaled: number | bigint, scale: number): string {
  if (scale <= 0) return String(scaled);
  const digits = String(scaled < 0 ? -scaled : scaled).padStart(scale + 1, '0');
  return `${scaled < 0 ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
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

/** The SQL type of a value of a key; undefined for a type that no key has. */
export function keyType({ Type }: ArrowPackage, type: DataType): string | undefined {
  switch (type.typeId) {
    case Type.Utf8:
    case Type.LargeUtf8:
      return 'STRING';
    case Type.Int:
      return 'BIGINT';
    case Type.Date:
      return 'DATE';
    case Type.Timestamp:
      return type.timezone === null ? 'TIMESTAMP_NTZ' : 'TIMESTAMP';
    case Type.Decimal:
      return `DECIMAL(${type.precision}, ${type.scale})`;
    default:
      return undefined;
  }
}
