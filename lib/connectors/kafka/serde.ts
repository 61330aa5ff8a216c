/** Formats that convert keys and values to bytes, and bytes to keys and values. */
import {
  describeThrown,
  MillraceError,
  refuseAsynchronous,
  validate,
  type ConnectorContext,
  type OptionRule,
  type Schema,
} from '../../connect/index.js';

/** The use of a format in one run: the topic, the part of the records, and the direction. */
export interface SerdeUse extends Pick<ConnectorContext, 'secrets' | 'signal'> {
  /** The topic. */
  readonly topic: string;
  /** Which part of the records has this format. */
  readonly part: 'key' | 'value';
  /** Whether records are read or written. */
  readonly direction: 'read' | 'write';
}

/**
 * A format of keys or values. An error of one of its functions ends one record by the failure policy of the task.
 */
export interface Serde<T> {
  /** The media type of the bytes, for other programs. */
  readonly contentType: string;
  /** The bytes of a value, or null for a tombstone. */
  serialize(value: T): Uint8Array | null;
  /** The value in these bytes, which the function must copy if it keeps them. Null bytes are a tombstone. */
  deserialize(bytes: Uint8Array | null): T;
  /**
   * Called before `deserialize`, for formats that need something else first, such as a schema. Undefined if nothing is
   * missing. If the promise rejects, the run fails, and can be resumed.
   */
  load?(bytes: Uint8Array | null): Promise<void> | undefined;
}

/** A format that must be made ready for each use, for example because it asks a schema registry. */
export interface SerdeFactory<T> {
  /** The format for one topic of one run. If the promise rejects, the run fails. */
  open(use: SerdeUse): Promise<Serde<T>>;
}

/** The rule of an option that is a format. */
export const aSerde: OptionRule = {
  expected: 'a format, such as json(), string() or bytes()',
  accepts: (value) => hasFunctions(value, 'serialize', 'deserialize') || hasFunctions(value, 'open'),
};

/** Makes a format ready for one topic of one run. */
export async function openSerde<T>(format: Serde<T> | SerdeFactory<T>, use: SerdeUse): Promise<Serde<T>> {
  return 'open' in format ? format.open(use) : format;
}

function hasFunctions(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

/** Throws for bytes that are not UTF-8, instead of putting replacement characters into records. */
const utf8 = new TextDecoder('utf8', { fatal: true });
const encoder = new TextEncoder();

/**
 * JSON in UTF-8. A tombstone is null. The schema validates the values that are read; its output is the record. Throws
 * MILLRACE_INVALID_OPTION for an asynchronous schema. Reading throws MILLRACE_INVALID_INPUT for a value that is not
 * JSON or does not fit; writing throws MILLRACE_INVALID_OUTPUT for a value that JSON cannot represent.
 *
 * @example json(z.object({ memberId: z.string() }))
 */
export function json<T = unknown>(schema?: Schema<T>): Serde<T> {
  if (schema !== undefined) refuseAsynchronous(schema, 'json()');
  return {
    contentType: 'application/json',
    serialize: (value) => {
      if (value === null || value === undefined) return null;
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new MillraceError('MILLRACE_INVALID_OUTPUT', 'JSON cannot represent the value');
      return encoder.encode(text);
    },
    deserialize: (bytes) => {
      const value = bytes === null ? null : parsed(bytes);
      return schema === undefined ? (value as T) : validate(schema, value, 'MILLRACE_INVALID_INPUT', 'the value');
    },
  };
}

/** Text in UTF-8. A tombstone is null. Reading throws MILLRACE_INVALID_INPUT for bytes that are not UTF-8. */
export function string(): Serde<string | null> {
  return {
    contentType: 'text/plain',
    serialize: (value) => (value === null ? null : encoder.encode(value)),
    deserialize: (bytes) => (bytes === null ? null : decoded(bytes)),
  };
}

/** The bytes as they are. A tombstone is null. */
export function bytes(): Serde<Uint8Array | null> {
  return {
    contentType: 'application/octet-stream',
    serialize: (value) => value,
    // A view would keep the whole answer of the broker in memory.
    deserialize: (some) => (some === null ? null : Uint8Array.from(some)),
  };
}

function parsed(some: Uint8Array): unknown {
  const text = decoded(some);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new MillraceError('MILLRACE_INVALID_INPUT', `the value is not JSON: ${describeThrown(error)}`, {
      cause: error,
    });
  }
}

function decoded(some: Uint8Array): string {
  try {
    return utf8.decode(some);
  } catch (error) {
    throw new MillraceError('MILLRACE_INVALID_INPUT', 'the bytes are not UTF-8', { cause: error });
  }
}
