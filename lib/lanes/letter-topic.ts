/**
 * The topic of dead letters: letters as JSON, each with its origin, and the numbers of those that a replay has taken.
 *
 * Guarantees: a letter is taken in the transaction that opens its lane again, so at each moment the letters that were
 * not taken are those of the run.
 */
import type { KafkaPort, NewRecord, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import { bytesOf } from '../connectors/kafka/topic-writer.js';
import { letterLine, shortLetterLine } from '../model/json-line.js';
import type { DeadLetter, LetterHead } from '../model/ports.js';
import { recordsOf } from './lane-past.js';
import { MAX_RECORD_BYTES } from './lane-transaction.js';

/** The header of a letter. Its value is the origin as JSON. */
const ORIGIN = 'millrace-letter';
/** The header of a record without a value. Its value is an array of the offsets of letters that are replayed. */
const REPLAYED = 'millrace-replayed';
const MOST_OFFSETS = 100_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The place where a letter was made. */
export interface LetterOrigin {
  /** The number of the lane among all lanes of the run. */
  readonly lane: number;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  /** The task of the lane that gave the record up. It is a task in front of a topic if the key could not be read. */
  readonly task: string;
  /** The root of the record in the lane. The letter names the topic instead, if the record was read from one. */
  readonly root: string;
}

/** A letter in the topic. */
export interface StoredLetter {
  readonly offset: number;
  readonly letter: DeadLetter;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  /** The lane that made the letter; undefined for a letter of an earlier version of millrace. */
  readonly lane: number | undefined;
  /** The letter in the run of its lane. */
  readonly head: LetterHead;
}

/** A record that is too large for the topic is replaced by its description, as one that JSON cannot represent is. */
export function letterRecord(letter: DeadLetter, origin: LetterOrigin): NewRecord {
  const headers = [[ORIGIN, encoder.encode(JSON.stringify(origin))]] as const;
  const whole = { key: null, value: encoder.encode(letterLine(letter).trimEnd()), headers };
  if (bytesOf(whole) <= MAX_RECORD_BYTES) return whole;
  return { ...whole, value: encoder.encode(shortLetterLine(letter).trimEnd()) };
}

/** The letter in the record; undefined for a record that takes letters. */
export function letterOf({
  offset,
  value,
  headers,
}: Pick<RawRecord, 'offset' | 'value' | 'headers'>): StoredLetter | undefined {
  if (value === null) return undefined;
  const letter = JSON.parse(decoder.decode(value)) as DeadLetter;
  const { lineage } = letter;
  const origin = (jsonIn(headers, ORIGIN) ?? {}) as Partial<LetterOrigin>;
  const { lane, generation = 0, task = letter.task, root = lineage.root } = origin;
  return { offset, letter, generation, lane, head: { task, lineage: { ...lineage, root } } };
}

/** The records that take the letters at these offsets. */
export function replayedRecords(offsets: readonly number[]): NewRecord[] {
  const records: NewRecord[] = [];
  for (let at = 0; at < offsets.length; at += MOST_OFFSETS) {
    const some = offsets.slice(at, at + MOST_OFFSETS);
    records.push({ key: null, value: null, headers: [[REPLAYED, encoder.encode(JSON.stringify(some))]] });
  }
  return records;
}

/** The offsets of the letters that the record takes. */
function replayedIn({ headers }: Pick<RawRecord, 'headers'>): readonly number[] {
  return (jsonIn(headers, REPLAYED) ?? []) as readonly number[];
}

/** The letters that replays have taken, by offset, and the number of those that are left. */
export async function takenLetters(
  client: KafkaPort,
  topic: TopicDescription,
  timeoutMs: number,
  to: 'end' | 'latest' = 'end',
): Promise<{ readonly taken: ReadonlySet<number>; readonly left: number }> {
  const taken = new Set<number>();
  let all = 0;
  for await (const record of recordsOf(client, topic, 0, timeoutMs, 0, to)) {
    if (record.value !== null) all++;
    else for (const offset of replayedIn(record)) taken.add(offset);
  }
  return { taken, left: all - taken.size };
}

function jsonIn(headers: RawRecord['headers'], wanted: string): unknown {
  for (const [name, value] of headers) {
    if (name === wanted && value !== null) return JSON.parse(decoder.decode(value));
  }
  return undefined;
}
