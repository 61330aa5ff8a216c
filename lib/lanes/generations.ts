/**
 * The generations of a run: 0 is the run itself, and each replay of its dead letters is one more.
 *
 * Guarantees: a replay, with the lanes that it opens again, is one record of the topic of the run, in the transaction
 * that opens these lanes.
 */
import type { KafkaPort, NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import { recordsOf } from './lane-past.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A replay, as JSON in the topic of the run. */
interface ReplayRecord {
  readonly generation: number;
  /** The numbers of the lanes that were opened again. */
  readonly lanes: readonly number[];
}

export interface Generations {
  /** The number of the last replay; 0 if there was none. */
  readonly last: number;
  /** By lane that a replay has opened again: the last such replay. */
  readonly ofLanes: ReadonlyMap<number, number>;
}

export function replayRecord(generation: number, lanes: readonly number[]): NewRecord {
  const replay: ReplayRecord = { generation, lanes };
  return { key: null, value: encoder.encode(JSON.stringify(replay)), headers: [] };
}

export async function readGenerations(
  client: KafkaPort,
  runTopic: TopicDescription,
  timeoutMs: number,
): Promise<Generations> {
  let last = 0;
  const ofLanes = new Map<number, number>();
  for await (const { value } of recordsOf(client, runTopic, 0, timeoutMs)) {
    const { generation, lanes = [] } = JSON.parse(decoder.decode(value ?? undefined)) as Partial<ReplayRecord>;
    // Other records describe the run, or the end of a lane.
    if (generation === undefined) continue;
    last = generation;
    for (const lane of lanes) ofLanes.set(lane, generation);
  }
  return { last, ofLanes };
}
