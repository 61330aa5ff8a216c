/**
 * Avro whose schemas are in a registry, with the package `avsc`.
 *
 * Guarantees: each value is read with the schema with which it was written, and, if `schema` is given, becomes a value
 * of that schema by the rules of Avro. A 64-bit number that JavaScript cannot represent is an error, or a bigint with
 * `longs: 'bigint'`; it is never rounded.
 */
import type * as Avsc from 'avsc';
import {
  anything,
  checkOptions,
  describeThrown,
  invalidOption,
  MillraceError,
  oneOf,
  type OptionRules,
} from '../../connect/index.js';
import type { Serde, SerdeFactory } from '../kafka/index.js';
import type { SchemaRegistry } from './schema-registry.js';
import { REGISTERED_RULES, writtenSchemaId, type RegisteredOptions } from './subject.js';
import { frame, schemaIdOf, unframe } from './wire-format.js';

/** Options of `avro`. */
export interface AvroOptions extends RegisteredOptions {
  /**
   * An Avro schema, as an object or its JSON text. Written values have it, and a `kafkaSink` needs it. Read values are
   * converted to it. Default for reading: values as they were written.
   */
  readonly schema?: object | string;
  /** How 64-bit numbers appear. Default 'number', which refuses numbers beyond 2^53. */
  readonly longs?: 'number' | 'bigint';
}

const RULES: OptionRules<AvroOptions> = {
  ...REGISTERED_RULES,
  schema: anything,
  longs: oneOf('number', 'bigint'),
};

/** The function that reads values of one written schema, or the error for all of them. */
type Reader = ((payload: Buffer) => unknown) | MillraceError;

const MOST_READERS = 4096;

/**
 * Avro whose schemas are in a registry. A tombstone is null. Needs the package `avsc`. Throws MILLRACE_INVALID_OPTION
 * for options that do not fit. Reading throws MILLRACE_INVALID_INPUT for a value without the id of a schema, or whose
 * schema is unknown or does not fit; writing throws MILLRACE_INVALID_OUTPUT for a value that does not fit.
 *
 * @example avro<Member>({ registry, schema: { type: 'record', name: 'Member', fields: [{ name: 'id', type: 'string' }] }
 *   })
 */
export function avro<T = unknown>(options: AvroOptions): SerdeFactory<T> {
  checkOptions('avro', options, RULES, ['registry']);
  return {
    open: async (use) => {
      options.registry.hideCredentials(use.secrets);
      const { schema, longs = 'number' } = options;
      const schemas = new AvroSchemas(await load(), longs);
      const own = schema === undefined ? undefined : schemas.own(schema);
      const schemaId = use.direction === 'read' ? 0 : await writtenSchemaId(options, 'AVRO', schema, use);
      return new AvroSerde({
        registry: options.registry,
        signal: use.signal,
        schemas,
        own,
        schemaId,
      }) as Serde<unknown> as Serde<T>;
    },
  };
}

interface AvroUse {
  readonly registry: SchemaRegistry;
  readonly signal: AbortSignal;
  readonly schemas: AvroSchemas;
  /** The type of the option `schema`. */
  readonly own: Avsc.Type | undefined;
  /** The id of the schema of written values. */
  readonly schemaId: number;
}

class AvroSerde implements Serde<unknown> {
  readonly contentType = 'application/avro';
  private readonly use: AvroUse;
  /** By the id of the schema with which values were written. */
  private readonly readers = new Map<number, Reader>();

  constructor(use: AvroUse) {
    this.use = use;
  }

  load(bytes: Uint8Array | null): Promise<void> | undefined {
    const id = bytes === null ? undefined : schemaIdOf(bytes);
    if (id === undefined || this.readers.has(id)) return undefined;
    return this.addReader(id);
  }

  serialize(value: unknown): Uint8Array | null {
    if (value === null || value === undefined) return null;
    const { schemaId } = this.use;
    const type = this.use.own as Avsc.Type;
    try {
      return frame({ schemaId, payload: type.toBuffer(value) });
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_INVALID_OUTPUT',
        `The value does not fit its Avro schema: ${why(type, value, error)}`,
        {
          cause: error,
        },
      );
    }
  }

  deserialize(bytes: Uint8Array | null): unknown {
    if (bytes === null) return null;
    const { schemaId, payload } = unframe(bytes);
    const reader = this.readers.get(schemaId);
    if (reader === undefined || reader instanceof MillraceError) throw reader ?? this.unknown(schemaId);
    try {
      return reader(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength));
    } catch (error) {
      throw unreadable(`the value is not Avro of schema ${schemaId}: ${describeThrown(error)}`, error);
    }
  }

  private async addReader(id: number): Promise<void> {
    const { registry, signal } = this.use;
    const found = await registry.schema(id, signal);
    if (this.readers.has(id)) return;
    const [oldest] = this.readers.keys();
    if (this.readers.size >= MOST_READERS && oldest !== undefined) this.readers.delete(oldest);
    if (found === undefined) this.readers.set(id, this.unknown(id));
    else if (found.type !== 'AVRO') {
      this.readers.set(id, unreadable(`schema ${id} is not Avro but ${found.type}. Read it with another format`));
    } else if (found.hasReferences) {
      this.readers.set(id, unreadable(`schema ${id} refers to other schemas, which avro() does not support`));
    } else this.readers.set(id, this.readerOf(id, found.schema));
  }

  private readerOf(id: number, schema: string): Reader {
    try {
      const { own, schemas } = this.use;
      const written = schemas.parse(schema);
      if (own === undefined) return (payload) => written.fromBuffer(payload) as unknown;
      const resolver = own.createResolver(written);
      return (payload) => own.fromBuffer(payload, resolver) as unknown;
    } catch (error) {
      return unreadable(
        `values of schema ${id} cannot be read with \`schema\` of avro(): ${describeThrown(error)}`,
        error,
      );
    }
  }

  private unknown(id: number): MillraceError {
    return unreadable(`the schema registry at ${this.use.registry.url} has no schema ${id}`);
  }
}

/** Parses schemas. */
class AvroSchemas {
  private readonly avsc: typeof Avsc;
  private readonly longs: 'number' | 'bigint';

  constructor(avsc: typeof Avsc, longs: 'number' | 'bigint') {
    this.avsc = avsc;
    this.longs = longs;
  }

  /** The type of a schema of the user. Throws MILLRACE_INVALID_OPTION for an invalid schema. */
  own(schema: object | string): Avsc.Type {
    try {
      return this.parse(schema);
    } catch (error) {
      throw invalidOption(`\`schema\` of avro() is not an Avro schema: ${describeThrown(error)}`, { cause: error });
    }
  }

  parse(schema: object | string): Avsc.Type {
    const { Type, types } = this.avsc;
    const parsed = (typeof schema === 'string' ? JSON.parse(schema) : schema) as Avsc.Schema;
    const long = types.LongType.__with(this.longs === 'number' ? NUMBERS : BIGINTS);
    return Type.forSchema(parsed, { registry: { long } });
  }
}

function longBytes(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** 64-bit numbers as bigints, in the terms of avsc. */
const BIGINTS = {
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: longBytes,
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => Number(value),
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
};

/** 64-bit numbers as numbers. The default of avsc changes some numbers beyond 2^52 without an error. */
const NUMBERS = {
  fromBuffer: (bytes: Buffer) => {
    const value = bytes.readBigInt64LE();
    if (BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))) return Number(value);
    throw new Error(`${value} is beyond 2^53. Set \`longs: 'bigint'\``);
  },
  toBuffer: (value: number) => longBytes(BigInt(value)),
  fromJSON: Number,
  toJSON: Number,
  isValid: (value: unknown) => Number.isSafeInteger(value),
  compare: (a: number, b: number) => Math.sign(a - b),
};

async function load(): Promise<typeof Avsc> {
  try {
    const loaded = (await import('avsc')) as typeof Avsc & { readonly default?: typeof Avsc };
    return loaded.default ?? loaded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new MillraceError(
      'MILLRACE_MISSING_PACKAGE',
      'avro() of millrace/kafka-registry needs avsc, which is not installed. Install it: npm install avsc',
      { cause: error },
    );
  }
}

/** The first place at which a value does not fit, and the expected type. */
function why(type: Avsc.Type, value: unknown, error: unknown): string {
  let first: string | undefined;
  const errorHook = (path: string[], _: unknown, expected: Avsc.Type): void => {
    const place = path.length === 0 ? 'the value' : `\`${path.join('.')}\``;
    first ??= `${place} is not ${expected.typeName === 'record' ? `a ${expected.name ?? 'record'}` : `of type ${expected.toString()}`}`;
  };
  try {
    type.isValid(value, { errorHook });
  } catch {
    // The first error is enough.
  }
  return first ?? describeThrown(error);
}

function unreadable(message: string, cause?: unknown): MillraceError {
  return new MillraceError('MILLRACE_INVALID_INPUT', message, cause === undefined ? {} : { cause });
}
