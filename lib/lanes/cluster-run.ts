/**
 * A run on a cluster: its stages, its creation and its deletion.
 *
 * Guarantees: a run is created once. Its topics come first and its description last, so a creation that died halfway is
 * completed by the next one, and of two that create a run at the same time both succeed. A run that has begun is never
 * created again: one whose topics were deleted is refused.
 */
import { KafkaCluster } from '../connectors/kafka/cluster.js';
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { openClient } from '../connectors/kafka/raw-client.js';
import type { RunDefinition } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { checkOptions, count, madeBy, objectWith, text, type OptionRules } from '../options/options.js';
import { describeDefinition } from '../runtime/definition/run-definition.js';
import { ResumePlan } from '../runtime/resume/resume-plan.js';
import type { LaneName } from './lane.js';
import { assertSameTopics, lostRun, lostTopics, missingOf, tracesOf } from './lost-run.js';
import { agreeOn, assertSameRun, newRunRecord, readRunRecord, type RunRecord } from './run-record.js';
import { createTopics, describeTopics, topicsOf } from './run-topics.js';
import type { SpreadWorkflow } from './stage-workflow.js';
import { planStages, type Stage, type StagePlan } from './stages.js';

/** The options that all workers of one run share. */
export interface SpreadOptions {
  /** The workflow with its configuration, as `prepare` returns it. */
  readonly workflow: SpreadWorkflow;
  /** The cluster, made by `kafka`. */
  readonly cluster: KafkaCluster;
  /** The id of the run, the same for all workers. Part of the names of its topics. */
  readonly runId: string;
  /** The partitions of each topic that divides records by a key, and so the most lanes of a stage. Default 12. */
  readonly partitions?: number;
}

export const SPREAD_RULES: OptionRules<SpreadOptions> = {
  workflow: objectWith('derive'),
  cluster: madeBy(KafkaCluster, 'kafka()'),
  runId: text,
  partitions: count(),
};
/** The names of the options that have no default. */
export const REQUIRED = ['workflow', 'cluster', 'runId'] as const;

const DEFAULT_PARTITIONS = 12;
const SEEN_HERE = 'its folder on this machine';

/**
 * The stages of a workflow, with their lanes and topics. Does not connect. Throws MILLRACE_SPREAD for a workflow that
 * cannot be spread.
 */
export function stagesOf(options: SpreadOptions): StagePlan {
  checkOptions('the stages of a workflow', options, SPREAD_RULES, REQUIRED);
  return planned(options).plan;
}

/**
 * Creates the topics of a run, and writes its first record, unless they exist. Resolves with the names of the topics
 * that were created. Rejects with MILLRACE_SPREAD for a workflow that cannot be spread, and with MILLRACE_RESUME if the
 * run exists with another definition or configuration, or if topics of a run that has begun were deleted.
 */
export async function createRun(options: SpreadOptions, replicationFactor?: number): Promise<readonly string[]> {
  checkOptions('a run', options, SPREAD_RULES, REQUIRED);
  const client = await openClient(options.cluster);
  try {
    return (await ensureRun(client, options, { replicationFactor })).created;
  } finally {
    await client.close();
  }
}

/** A run that exists, and may have been created a moment ago. */
export interface EnsuredRun {
  /** The names of the topics that were created. */
  readonly created: readonly string[];
  /** The id of the topic with its description. A run that is deleted and created again has another one. */
  readonly id: string;
}

/**
 * Like `createRun`, with a client that is connected and options that were checked.
 *
 * @param known the id of the run, if this machine has seen it on the cluster before. Then it is not created.
 */
export async function ensureRun(
  client: KafkaPort,
  options: SpreadOptions,
  {
    replicationFactor,
    known,
  }: { readonly replicationFactor?: number | undefined; readonly known?: string | undefined },
): Promise<EnsuredRun> {
  const { plan, definition } = planned(options);
  const { timeoutMs } = options.cluster.options;
  const topics = topicsOf(plan, replicationFactor);
  const found = await findRun(client, options, known !== undefined);
  if (found !== undefined) {
    assertSameRun(found.record, plan, definition);
    await describedTopics(client, plan, found.record);
    if (known === undefined || known === found.id) return { created: [], id: found.id };
    throw lostRun(plan, `topic '${plan.runTopic}' was deleted and created again`, [SEEN_HERE]);
  }
  const created = await createTopics(client, topics);
  const described = await describeTopics(client, topics);
  const ids = Object.fromEntries([...described].map(([name, { id }]) => [name, id]));
  const topic = described.get(plan.runTopic) as TopicDescription;
  const proposed = newRunRecord(plan, definition, options.workflow.startedAt, ids);
  const record = await agreeOn(client, topic, proposed, timeoutMs);
  assertSameRun(record, plan, definition);
  assertSameTopics(plan, record.topics, described.values());
  return { created, id: topic.id };
}

/**
 * Rejects with MILLRACE_RESUME if the run with this id is not on the cluster any more. Changes nothing.
 *
 * @param known the id that the run had when this machine saw it.
 */
export async function assertRunKept(
  options: SpreadOptions,
  known: string,
  onNotice?: (message: string) => void,
): Promise<void> {
  checkOptions('a run', options, SPREAD_RULES, REQUIRED);
  const client = await openClient(options.cluster, onNotice);
  try {
    await ensureRun(client, options, { known });
  } finally {
    await client.close();
  }
}

/** The description of a run, and the id of its topic. */
interface FoundRun {
  readonly record: RunRecord;
  readonly id: string;
}

/**
 * The description of a run; undefined if the run has never begun. Rejects with MILLRACE_RESUME for a run that has begun
 * and whose description is gone.
 *
 * @param isKnown whether the caller knows that the run has existed.
 */
async function findRun(client: KafkaPort, options: SpreadOptions, isKnown: boolean): Promise<FoundRun | undefined> {
  const { plan } = planned(options);
  const read = async (): Promise<FoundRun | undefined> => {
    if (!(await client.hasTopic(plan.runTopic))) return undefined;
    const topic = await client.describe(plan.runTopic);
    const record = await readRunRecord(client, topic, options.cluster.options.timeoutMs);
    return record && { record, id: topic.id };
  };
  const found = await read();
  if (found !== undefined) return found;
  const names = topicsOf(plan, undefined).map(({ name }) => name);
  const traces = isKnown ? [SEEN_HERE] : await tracesOf(client, plan, names);
  if (traces.length === 0) return undefined;
  // Workers begin after the description was written. So it is there now, if another process has just created the run.
  const missing = await missingOf(client, names);
  const late = await read();
  if (late !== undefined) return late;
  throw missing.length === 0
    ? lostRun(plan, `topic '${plan.runTopic}' is empty`, traces)
    : lostTopics(plan, missing, traces);
}

/** The topics of a run that has begun. Rejects with MILLRACE_RESUME if they are not those with which it began. */
async function describedTopics(
  client: KafkaPort,
  plan: StagePlan,
  record: RunRecord,
): Promise<ReadonlyMap<string, TopicDescription>> {
  const topics = topicsOf(plan, undefined);
  const missing = await missingOf(
    client,
    topics.map(({ name }) => name),
  );
  if (missing.length > 0) throw lostTopics(plan, missing, []);
  const described = await describeTopics(client, topics);
  assertSameTopics(plan, record.topics, described.values());
  return described;
}

/**
 * Deletes the topics of a run. No worker may be at work on the run. Resolves with the names of the deleted topics.
 * Rejects with MILLRACE_SPREAD for a workflow that cannot be spread, and with MILLRACE_INVALID_OPTION for options that
 * do not fit.
 */
export async function deleteRun(options: SpreadOptions): Promise<readonly string[]> {
  checkOptions('a run', options, SPREAD_RULES, REQUIRED);
  const client = await openClient(options.cluster);
  try {
    const deleted: string[] = [];
    for (const { name } of topicsOf(planned(options).plan, undefined)) {
      if (await client.deleteTopic(name)) deleted.push(name);
    }
    return deleted;
  } finally {
    await client.close();
  }
}

/** A run that exists on a cluster. */
export interface ExistingRun {
  readonly plan: StagePlan;
  readonly record: RunRecord;
  /** All topics of the run, by name. */
  readonly topics: ReadonlyMap<string, TopicDescription>;
  /** The lanes of the run, by their numbers. */
  readonly lanes: readonly (LaneName & { readonly of: Stage })[];
}

/**
 * Rejects with MILLRACE_UNKNOWN_RUN if there is no such run, and with MILLRACE_RESUME for another definition, or if
 * topics of the run were deleted.
 */
export async function existingRun(client: KafkaPort, options: SpreadOptions): Promise<ExistingRun> {
  const { workflow, runId } = options;
  const { plan, definition } = planned(options);
  const found = await findRun(client, options, false);
  if (found === undefined) {
    throw new MillraceError(
      'MILLRACE_UNKNOWN_RUN',
      `There is no run '${runId}' of '${workflow.name}' on this cluster. Create it with \`millrace topics create\`, or start it with \`millrace run --kafka\``,
    );
  }
  const { record } = found;
  assertSameRun(record, plan, definition);
  const topics = await describedTopics(client, plan, record);
  let lane = 0;
  const lanes = plan.stages.flatMap((of) =>
    [...new Array(of.lanes).keys()].map((partition) => ({ lane: lane++, stage: of.name, partition, of })),
  );
  return { plan, record, topics, lanes };
}

function planned({ workflow, runId, partitions = DEFAULT_PARTITIONS }: SpreadOptions): {
  readonly plan: StagePlan;
  readonly definition: RunDefinition;
} {
  const { name, config, plan: graph, declarations } = workflow;
  const plan = planStages(graph, declarations, { workflow: name, run: runId, partitions });
  const { durability } = new ResumePlan(graph, declarations);
  return { plan, definition: describeDefinition(name, graph, declarations, config, durability) };
}
