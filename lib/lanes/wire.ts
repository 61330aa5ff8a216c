/**
 * The encoding of records, keys and end markers in the topics between stages.
 *
 * Guarantees: a record arrives as the structured clone of the record that was sent, as in a thread. Equal keys have
 * equal bytes. The bytes of a string are its UTF-8, so other programs choose the same partition.
 */
import { deserialize, serialize } from 'node:v8';
import { MillraceError, describeThrown, describeValue } from '../model/errors.js';
import type { NewRecord, RawRecord } from '../connectors/kafka/port.js';

/**
 * The header of the marker that a lane writes to each partition when it has ended. Its value is the number of the lane,
 * and in a replay also the generation.
 */
const END = 'millrace-end';
/** The header with the number of the writing lane and the time that the lane had reached. */
const TIME = 'millrace-time';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a value. Throws MILLRACE_UNCLONABLE. */
export function bytesOfValue(value: unknown, what: string): Uint8Array {
  try {
    return serialize(value);
  } catch (error) {
    throw new MillraceError(
      'MILLRACE_UNCLONABLE',
      `${what} cannot be sent to another process: ${describeThrown(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** The value in these bytes. */
export function valueOfBytes(bytes: Uint8Array): unknown {
  return deserialize(bytes);
}

/** The bytes of a key. Throws MILLRACE_INVALID_OUTPUT for a key that is compared by identity. */
export function bytesOfKey(key: unknown): Uint8Array {
  if (typeof key === 'string') return encoder.encode(key);
  if (
    key === null ||
    key === undefined ||
    typeof key === 'number' ||
    typeof key === 'boolean' ||
    typeof key === 'bigint'
  ) {
    // A Map does not distinguish the two zeros.
    return encoder.encode(String(Object.is(key, -0) ? 0 : key));
  }
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected the key of a record that crosses a topic to be a string, a number or another plain value, got ${describeValue(key)}`,
  );
}

/** The time that a lane has reached, among the lanes that write to a topic. */
export interface LaneTime {
  readonly lane: number;
  /** Milliseconds since 1970; -Infinity before the first time, Infinity after the end. */
  readonly reached: number;
}

/** The header of a record that carries the time of its lane. */
export function timeHeader({ lane, reached }: LaneTime): NewRecord['headers'][number] {
  return [TIME, encoder.encode(`${lane} ${reached}`)];
}

/** A record that carries a time only, for partitions that get no records. */
export function timeMarker(time: LaneTime): NewRecord {
  return { key: null, value: null, headers: [timeHeader(time)] };
}

/** The time that the record carries; undefined for none. The marker of the end of a lane ends its time. */
export function timeIn({ headers }: RawRecord): LaneTime | undefined {
  for (const [name, value] of headers) {
    if (value === null || (name !== TIME && name !== END)) continue;
    const [lane, reached] = decoder.decode(value).split(' ');
    return { lane: Number(lane), reached: name === END ? Infinity : Number(reached) };
  }
  return undefined;
}

/** The end of a lane, among the lanes that write to a topic. */
export interface EndOfLane {
  readonly lane: number;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
}

/** The marker of the end of a lane. */
export function endMarker({ lane, generation }: EndOfLane): NewRecord {
  const text = generation === 0 ? String(lane) : `${lane} ${generation}`;
  return { key: null, value: null, headers: [[END, encoder.encode(text)]] };
}

/** The end that the record marks; undefined for a record of the workflow. */
export function endIn({ headers }: Pick<RawRecord, 'headers'>): EndOfLane | undefined {
  for (const [name, value] of headers) {
    if (name !== END || value === null) continue;
    const [lane, generation = 0] = decoder.decode(value).split(' ').map(Number);
    return { lane: lane as number, generation };
  }
  return undefined;
}
