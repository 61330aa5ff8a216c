/**
 * The record on which all workers of a run must agree: the first record of the run's topic.
 *
 * Guarantees: a topic has one order, so the process that writes first decides. A worker with another definition or
 * configuration is refused before it processes a record.
 */
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { tasksToCompare } from '../runtime/definition/run-definition.js';
import { TopicWriter } from '../connectors/kafka/topic-writer.js';
import type { RunDefinition } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { recordsOf } from './lane-past.js';
import type { StagePlan } from './stages.js';

const FORMAT = 1;
const MAX_BYTES = 1024 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The first record of a run, as JSON. */
export interface RunRecord {
  readonly format: number;
  /** When the run was started, milliseconds since 1970. */
  readonly startedAt: number;
  readonly seed: number;
  readonly definition: RunDefinition;
  /** Each stage with its lanes and its topics. */
  readonly stages: readonly string[];
  /** The ids of its topics, by name. Absent in runs that earlier versions have started. */
  readonly topics?: Readonly<Record<string, string>>;
}

/** The record of a new run, whose topics exist. */
export function newRunRecord(
  plan: StagePlan,
  definition: RunDefinition,
  startedAt: number,
  topics: Readonly<Record<string, string>>,
): RunRecord {
  const seed = Math.floor(Math.random() * 2 ** 32);
  return { format: FORMAT, startedAt, seed, definition, stages: stageLines(plan), topics };
}

/** Writes the record, unless another process has already written one. Resolves with the first record of the topic. */
export async function agreeOn(
  client: KafkaPort,
  topic: TopicDescription,
  proposed: RunRecord,
  timeoutMs: number,
): Promise<RunRecord> {
  const known = await readRunRecord(client, topic, timeoutMs);
  if (known !== undefined) return known;
  const parts = { client, topic, compression: 'none', maxBytes: MAX_BYTES, producer: undefined } as const;
  await new TopicWriter(parts).write([{ key: null, value: encoder.encode(JSON.stringify(proposed)), headers: [] }], 0);
  return (await readRunRecord(client, topic, timeoutMs)) as RunRecord;
}

/** The record of a run; undefined if no process has written one. */
export async function readRunRecord(
  client: KafkaPort,
  topic: TopicDescription,
  timeoutMs: number,
): Promise<RunRecord | undefined> {
  for await (const { value } of recordsOf(client, topic, 0, timeoutMs)) {
    const record = JSON.parse(decoder.decode(value)) as RunRecord;
    if (record.format === FORMAT) return record;
    throw new MillraceError(
      'MILLRACE_RESUME',
      `Topic '${topic.name}' was written by another version of millrace (format ${String(record.format)}). Use that version, or start a new run`,
    );
  }
  return undefined;
}

/** Throws MILLRACE_RESUME, with the changes, if this worker has another definition, configuration or stages. */
export function assertSameRun(record: RunRecord, plan: StagePlan, definition: RunDefinition): void {
  const changes = [
    ...differences('task', ...tasksToCompare(record.definition, definition)),
    ...differences('config key', record.definition.config, definition.config),
  ];
  const now = stageLines(plan);
  if (changes.length === 0 && JSON.stringify(now) !== JSON.stringify(record.stages)) {
    changes.push(`the stages were ${record.stages.join('; ')} and are ${now.join('; ')}`);
  }
  if (changes.length === 0) return;
  throw new MillraceError(
    'MILLRACE_RESUME',
    `This worker cannot join run ${plan.run}: ${changes.join('; ')}. Give it the same workflow, configuration and partitions, or start a new run`,
  );
}

function stageLines({ stages }: StagePlan): string[] {
  return stages.map(({ name, lanes, tasks }) => `${name} (${lanes}): ${tasks.join(', ')}`);
}

function differences(
  what: string,
  was: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): string[] {
  return Object.keys({ ...was, ...now }).flatMap((key) =>
    was[key] === now[key]
      ? []
      : [
          `${what} '${key}' ${now[key] === undefined ? 'is missing' : was[key] === undefined ? 'is new' : 'has another value'}`,
        ],
  );
}
