/**
 * The encoding of Protocol Buffers, for the few messages that this connector exchanges.
 *
 * Guarantees: fields that a message does not declare are skipped, so newer servers can be read. A message that ends too
 * early throws a RangeError.
 */

/** One declared field: how a value is written, and how it is read. */
export interface Field<T> {
  readonly number: number;
  /** Whether the field appears once per element of an array. */
  readonly isRepeated: boolean;
  /** Absent values are not written. */
  write(writer: Writer, value: T): void;
  /** The value, or for a repeated field one element of it. */
  read(reader: Reader): unknown;
}

/** The declared fields of a message, by name. */
export type Fields = Readonly<Record<string, Field<never>>>;

/**
 * The values of a message. Absent fields are undefined, and numbers, texts and flags of their default value are absent.
 */
export type ValueOf<F extends Fields> = {
  readonly [Name in keyof F]?: (F[Name] extends Field<infer T> ? T : never) | undefined;
};

/** A kind of message. */
export interface Message<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Declares a kind of message. */
export function message<F extends Fields>(fields: F): Message<ValueOf<F>> {
  const entries = Object.entries(fields) as readonly (readonly [string, Field<unknown>])[];
  const byNumber = new Map(entries.map(([name, field]) => [field.number, { name, field }]));
  return {
    encode: (value) => {
      const writer = new Writer();
      for (const [name, field] of entries) {
        const own = (value as Readonly<Record<string, unknown>>)[name];
        if (own !== undefined) field.write(writer, own);
      }
      return writer.finish();
    },
    decode: (bytes) => {
      const reader = new Reader(bytes);
      const value: Record<string, unknown> = {};
      while (!reader.isOver) {
        const tag = reader.varint();
        const found = byNumber.get(Math.floor(tag / 8));
        if (found === undefined) reader.skip(tag % 8);
        else if (found.field.isRepeated) {
          ((value[found.name] ??= []) as unknown[]).push(found.field.read(reader));
        } else value[found.name] = found.field.read(reader);
      }
      return value as ValueOf<F>;
    },
  };
}

/** A text. */
export function string(number: number): Field<string> {
  const write = (writer: Writer, value: string): void => {
    writer.bytes(number, Buffer.from(value, 'utf8'));
  };
  return { number, isRepeated: false, write, read: (reader) => reader.text() };
}

export function bytes(number: number): Field<Uint8Array> {
  const write = (writer: Writer, value: Uint8Array): void => {
    writer.bytes(number, value);
  };
  return { number, isRepeated: false, write, read: (reader) => reader.bytes() };
}

/** An integer of 32 or 64 bits, or an enumeration. Values that are read must not be negative. */
export function integer(number: number): Field<number | bigint> {
  const write = (writer: Writer, value: number | bigint): void => {
    writer.varint(number, BigInt(value));
  };
  return { number, isRepeated: false, write, read: (reader) => reader.varint() };
}

export function boolean(number: number): Field<boolean> {
  const write = (writer: Writer, value: boolean): void => {
    writer.varint(number, value ? 1n : 0n);
  };
  return { number, isRepeated: false, write, read: (reader) => reader.varint() !== 0 };
}

export function double(number: number): Field<number> {
  const write = (writer: Writer, value: number): void => {
    writer.double(number, value);
  };
  return { number, isRepeated: false, write, read: (reader) => reader.double() };
}

/** A message within a message. */
export function nested<T>(number: number, kind: Message<T>): Field<T> {
  const write = (writer: Writer, value: T): void => {
    writer.bytes(number, kind.encode(value));
  };
  return { number, isRepeated: false, write, read: (reader) => kind.decode(reader.bytes()) };
}

/** A list of values of one field. */
export function repeated<T>(field: Field<T>): Field<readonly T[]> {
  const all = (writer: Writer, values: readonly T[]): void => {
    for (const value of values) field.write(writer, value);
  };
  return { number: field.number, isRepeated: true, write: all, read: (reader) => field.read(reader) };
}

/** Makes the bytes of one message. */
export class Writer {
  private readonly parts: Uint8Array[] = [];

  varint(field: number, value: bigint): void {
    this.tag(field, VARINT);
    this.raw(BigInt.asUintN(64, value));
  }

  double(field: number, value: number): void {
    this.tag(field, FIXED64);
    const part = Buffer.alloc(8);
    part.writeDoubleLE(value);
    this.parts.push(part);
  }

  bytes(field: number, value: Uint8Array): void {
    this.tag(field, BYTES);
    this.raw(BigInt(value.byteLength));
    this.parts.push(value);
  }

  finish(): Uint8Array {
    return this.parts.length === 1 ? (this.parts[0] as Uint8Array) : Buffer.concat(this.parts);
  }

  private tag(field: number, kind: number): void {
    this.raw(BigInt(field * 8 + kind));
  }

  private raw(value: bigint): void {
    const part: number[] = [];
    let left = value;
    while (left > 127n) {
      part.push(Number(left & 127n) | 128);
      left >>= 7n;
    }
    part.push(Number(left));
    this.parts.push(Uint8Array.from(part));
  }
}

/** Reads the bytes of one message. Returned bytes are views of them. */
export class Reader {
  private readonly source: Buffer;
  private at = 0;

  constructor(source: Uint8Array) {
    this.source = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  }

  get isOver(): boolean {
    return this.at >= this.source.length;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.source.readUInt8(this.at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  double(): number {
    this.at += 8;
    return this.source.readDoubleLE(this.at - 8);
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const from = this.at;
    this.at += length;
    if (this.at > this.source.length) throw new RangeError('A message of Spark ends too early');
    return this.source.subarray(from, this.at);
  }

  text(): string {
    return Buffer.from(this.bytes()).toString('utf8');
  }

  skip(kind: number): void {
    if (kind === VARINT) this.varint();
    else if (kind === BYTES) this.bytes();
    else if (kind === FIXED64) this.at += 8;
    else if (kind === FIXED32) this.at += 4;
    else throw new RangeError(`A message of Spark has a field of the unknown kind ${kind}`);
  }
}
