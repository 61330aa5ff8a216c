/**
 * The bytes in front of a value whose schema is in a registry: a zero, and the id of the schema as 32 bits, most
 * significant first. This is the wire format of Confluent's serializers.
 */
import { MillraceError } from '../../connect/index.js';

const MAGIC = 0;
const HEADER_BYTES = 5;

/** A value in the wire format. */
export interface Framed {
  readonly schemaId: number;
  readonly payload: Uint8Array;
}

/** The bytes of a value with the id of its schema. */
export function frame({ schemaId, payload }: Framed): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  bytes[0] = MAGIC;
  new DataView(bytes.buffer).setUint32(1, schemaId);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** The parts of framed bytes; the payload is a view. Throws MILLRACE_INVALID_INPUT for other bytes. */
export function unframe(bytes: Uint8Array): Framed {
  const schemaId = schemaIdOf(bytes);
  if (schemaId === undefined) {
    throw new MillraceError(
      'MILLRACE_INVALID_INPUT',
      `Expected a value with the id of its schema, which begins with a zero byte and four bytes of the id, got ${describe(bytes)}. A topic of plain JSON is read with json()`,
    );
  }
  return { schemaId, payload: bytes.subarray(HEADER_BYTES) };
}

/** The id of the schema; undefined if the bytes are not in the wire format. */
export function schemaIdOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(1);
}

function describe(bytes: Uint8Array): string {
  if (bytes.length < HEADER_BYTES) return bytes.length === 1 ? 'a single byte' : `${bytes.length} bytes`;
  return `bytes that begin with ${[...bytes.subarray(0, HEADER_BYTES)].join(', ')}`;
}
