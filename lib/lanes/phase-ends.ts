/**
 * How the tasks of a run have ended, for the tasks that run after them in another lane. A lane that has completed leaves
 * the counts of its tasks in the topic of the run.
 *
 * Guarantees: the counts of a lane and its end are one transaction, so a lane of a later phase finds the counts of all
 * lanes of the phases before. They do not change, also not by replays, so each owner of the lane starts its task with
 * the same record.
 */
import type { KafkaPort, NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import type { TaskCounts } from '../model/metrics.js';
import type { GraphPlan } from '../model/graph.js';
import { PhaseOrder } from '../runtime/run/phase-order.js';
import { recordsOf } from './lane-past.js';
import { letterOf } from './letter-topic.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The end of one lane, as JSON in the topic of the run. */
interface LaneCounts {
  readonly lane: number;
  readonly counts: Readonly<Record<string, TaskCounts>>;
}

/** The topics that ends are read from. */
export interface EndTopics {
  readonly client: KafkaPort;
  readonly runTopic: TopicDescription;
  readonly letterTopic: TopicDescription;
  readonly timeoutMs: number;
}

/** The record that stores the counts of the tasks of a completed lane. */
export function endRecord(lane: number, counts: LaneCounts['counts']): NewRecord {
  const end: LaneCounts = { lane, counts };
  return { key: null, value: encoder.encode(JSON.stringify(end)), headers: [] };
}

/** The order of the phases at the beginning of a phase. All lanes of the phases before it must have completed. */
export async function orderAt(phase: number, plan: GraphPlan, topics: EndTopics): Promise<PhaseOrder> {
  const order = new PhaseOrder(plan, await countsOfEnded(topics));
  for (let at = 0; at <= phase; at++) order.begin();
  return order;
}

/** The counts of the tasks of the lanes that have completed. Each dead letter is counted once, also after deaths. */
async function countsOfEnded({
  client,
  runTopic,
  letterTopic,
  timeoutMs,
}: EndTopics): Promise<Readonly<Record<string, TaskCounts>>> {
  const sums = new Map<string, TaskCounts>();
  const counted = new Set<number | undefined>();
  for await (const { value } of recordsOf(client, runTopic, 0, timeoutMs)) {
    const { lane, counts } = JSON.parse(decoder.decode(value ?? undefined)) as Partial<LaneCounts>;
    // Other records describe the run and its replays. In a replay a lane ends again.
    if (counts === undefined || counted.has(lane)) continue;
    counted.add(lane);
    for (const [task, own] of Object.entries(counts)) sums.set(task, sumOf(sums.get(task), own));
  }
  const letters = new Map<string, number>();
  for await (const record of recordsOf(client, letterTopic, 0, timeoutMs)) {
    const found = letterOf(record);
    if (found === undefined || found.generation > 0) continue;
    const { task } = found.letter;
    letters.set(task, (letters.get(task) ?? 0) + 1);
  }
  return Object.fromEntries(
    [...sums].map(([task, counts]) => [task, { ...counts, deadLettered: letters.get(task) ?? 0 }]),
  );
}

function sumOf(
  one: TaskCounts | undefined,
  { in: received, out, skipped, inFlight, iterations }: TaskCounts,
): TaskCounts {
  return {
    in: (one?.in ?? 0) + received,
    out: (one?.out ?? 0) + out,
    skipped: (one?.skipped ?? 0) + skipped,
    deadLettered: 0,
    inFlight: (one?.inFlight ?? 0) + inFlight,
    ...(iterations !== undefined && { iterations: (one?.iterations ?? 0) + iterations }),
  };
}
