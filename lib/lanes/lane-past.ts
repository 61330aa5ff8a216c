/**
 * The records of a lane in its partition of the state topic, and their reading by the next owner of the lane.
 *
 * The topic is compacted: only the newest value of each key counts. There is one key for the checkpoint, one for the
 * totals, one for the generation, one per entry of the state of a boundary, and one per dead letter whose record is still above the watermark.
 *
 * Guarantees: only committed values are read, up to the end of the partition at the time of the call.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaPort, NewRecord, RawRecord, TopicDescription } from '../connectors/kafka/port.js';
import type { Checkpoint } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import type { LetterHead } from '../model/ports.js';
import type { StateEntries } from '../model/state.js';
import type { LaneTally } from './lane-tally.js';
import { bytesOfValue, valueOfBytes } from './wire.js';

/** The key of a value: its kind, and what distinguishes it within its kind. */
export type StateKey =
  | readonly ['checkpoint']
  | readonly ['tally']
  | readonly ['generation']
  | readonly ['state', space: string, key: string]
  | readonly ['letter', number: number];

/** An entry of a state: the number of its first write, and its value. Entries are ordered by that number. */
export type StoredEntry = readonly [first: number, value: unknown];

/** The data that earlier owners of a lane have stored. */
export interface LanePast {
  readonly checkpoint: Checkpoint | undefined;
  /** The totals of the earlier owners. */
  readonly tally: LaneTally | undefined;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  /** The entries of states, by space and key. */
  readonly entries: ReadonlyMap<string, ReadonlyMap<string, StoredEntry>>;
  /** Dead letters, by their numbers. */
  readonly letters: ReadonlyMap<number, LetterHead>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MAX_WAIT_MS = 100;
const MAX_BYTES = 8 * 1024 * 1024;

/** The record that stores a value; the value undefined removes the key. Throws MILLRACE_UNCLONABLE. */
export function stateRecord(key: StateKey, value: unknown): NewRecord {
  return {
    key: encoder.encode(JSON.stringify(key)),
    value: value === undefined ? null : bytesOfValue(value, `The state ${key.join(' ')}`),
    headers: [],
  };
}

/** Reads the partition of a lane to its end. The caller must own the lane, so that no other process writes to it. */
export async function readPast(
  client: KafkaPort,
  topic: TopicDescription,
  lane: number,
  timeoutMs: number,
): Promise<LanePast> {
  let checkpoint: Checkpoint | undefined;
  let tally: LaneTally | undefined;
  let generation = 0;
  const entries = new Map<string, Map<string, StoredEntry>>();
  const letters = new Map<number, LetterHead>();
  for await (const record of recordsOf(client, topic, lane, timeoutMs)) {
    const [kind, ...rest] = JSON.parse(decoder.decode(record.key)) as [string, ...never[]];
    const value = record.value === null ? undefined : valueOfBytes(record.value);
    if (kind === 'checkpoint') checkpoint = value as Checkpoint;
    else if (kind === 'tally') tally = value as LaneTally;
    else if (kind === 'generation') generation = value as number;
    else if (kind === 'letter') setOrDelete(letters, rest[0] as unknown as number, value as LetterHead | undefined);
    else {
      const [space, key] = rest as unknown as [string, string];
      const own = entries.get(space) ?? new Map<string, StoredEntry>();
      entries.set(space, own);
      setOrDelete(own, key, value as StoredEntry | undefined);
    }
  }
  return { checkpoint, tally, generation, entries, letters };
}

/** The entries of a space as a boundary expects them: in the order of their first writes. */
export function inOrder(entries: ReadonlyMap<string, StoredEntry>): StateEntries {
  const ordered = [...entries].sort(([, [one]], [, [other]]) => one - other);
  return new Map(ordered.map(([key, [, value]]) => [key, value]));
}

/**
 * The committed records of a partition, to its end at the time of the call. The open transaction of a process that has
 * died holds up the reader until its timeout, or until the next owner of its lane begins.
 *
 * @param timeoutMs the time after which the reader gives up if nothing arrives.
 * @param from the first offset.
 * @param to 'latest' ends in front of the first open transaction, and waits for none.
 */
export async function* recordsOf(
  client: KafkaPort,
  topic: TopicDescription,
  partition: number,
  timeoutMs: number,
  from = 0,
  to: 'end' | 'latest' = 'end',
): AsyncGenerator<RawRecord> {
  const [first, ends] = [await client.offsets(topic, 'earliest'), await client.offsets(topic, to)];
  const end = ends[partition] as number;
  let offset = Math.max(from, first[partition] as number);
  let latest = performance.now() + timeoutMs;
  let isStale = false;
  while (offset < end) {
    const leader = (await client.leaders(topic, isStale))[partition] as number;
    const request = { topic, places: [{ partition, offset }], maxWaitMs: MAX_WAIT_MS, maxBytesPerPartition: MAX_BYTES };
    const [fetched] = await client.fetch(leader, request);
    isStale = fetched?.kind !== 'records';
    if (fetched?.kind === 'records' && fetched.next > offset) {
      yield* fetched.records;
      offset = fetched.next;
      latest = performance.now() + timeoutMs;
    } else if (performance.now() > latest) {
      throw new MillraceError(
        'MILLRACE_NETWORK',
        `Partition ${partition} of topic '${topic.name}' could not be read to its end at ${end}: nothing arrived behind offset ${offset}`,
        { retryable: true },
      );
    } else if (isStale) await sleep(MAX_WAIT_MS);
  }
}

function setOrDelete<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
