/** The stage of one lane as a workflow that is ready to run, with its sources and sinks for topics. */
import type { KafkaCluster } from '../connectors/kafka/cluster.js';
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { SharedTransaction } from '../connectors/kafka/shared-transaction.js';
import type { PreparedWorkflow } from '../runtime/definition/prepared-workflow.js';
import type { PhaseOrder } from '../runtime/run/phase-order.js';
import { EdgeSink } from './edge-sink.js';
import { EdgeSource } from './edge-source.js';
import type { LaneInput, LaneOutput } from './lane-store.js';
import type { LaneTransaction } from './lane-transaction.js';
import type { RunRecord } from './run-record.js';
import type { Stage, StagePlan } from './stages.js';
import { prepareStage, type SpreadWorkflow } from './stage-workflow.js';

/** The run that a lane belongs to. */
export interface StageSurroundings {
  readonly workflow: SpreadWorkflow;
  readonly cluster: KafkaCluster;
  readonly plan: StagePlan;
  readonly record: RunRecord;
  /** All topics of the run, by name. */
  readonly topics: ReadonlyMap<string, TopicDescription>;
}

export interface LaneStageParts {
  readonly stage: Stage;
  /** The number of the lane in its stage. */
  readonly partition: number;
  /** 0 for the run itself, and the number of the replay for its replays. */
  readonly generation: number;
  readonly client: KafkaPort;
  readonly transaction: LaneTransaction;
  /** How the tasks of the phases before have ended; undefined in the first phase. */
  readonly order: PhaseOrder | undefined;
}

export interface LaneStage {
  readonly prepared: PreparedWorkflow;
  readonly inputs: readonly LaneInput[];
  readonly outputs: readonly LaneOutput[];
}

/** Throws the errors of `prepareStage`. */
export function stageOfLane(
  { stage, partition, generation, client, transaction, order }: LaneStageParts,
  { workflow, cluster, plan, record, topics }: StageSurroundings,
): LaneStage {
  const topicOf = (name: string): TopicDescription => topics.get(name) as TopicDescription;
  const { namespace } = cluster;
  const { timeoutMs } = cluster.options;
  const inputs: LaneInput[] = [];
  const outputs: LaneOutput[] = [];
  const prepared = prepareStage(
    workflow,
    stage,
    {
      source: ({ topic: name, reader, writers, isTimed }) => {
        const topic = topicOf(name);
        const own = { client, topic, partition, writers, generation, isTimed, namespace, timeoutMs };
        const source = new EdgeSource(own);
        inputs.push({ task: reader, topic, source });
        return source;
      },
      sink: ({ topic: name, label, firstWriter }, { key, timing }) => {
        const own = { lane: firstWriter + partition, topic: topicOf(name) };
        const sink = new EdgeSink({ transaction, ...own, key, label, timing, namespace });
        outputs.push({ ...own, sink });
        return sink;
      },
      transaction: new SharedTransaction({
        cluster,
        clusterId: topicOf(plan.stateTopic).cluster,
        isOver: () => transaction.isClosed,
        write: (topic, records, format) => transaction.write(topic, records, undefined, format),
      }),
      startOf: (task, prefix) => order?.startOf(task, prefix) ?? {},
    },
    record.startedAt,
  );
  return { prepared, inputs, outputs };
}
