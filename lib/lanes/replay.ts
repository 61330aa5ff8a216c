/**
 * The replay of the dead letters of a run: opens lanes that have completed again, so that its workers process the
 * records of these letters once more.
 *
 * A lane with such letters resumes from its last checkpoint, with holes at their records. The lanes behind it take part
 * too, because its outputs may cross topics: they read on until each writer that takes part has marked its end in
 * this replay.
 *
 * Guarantees: the new checkpoints of all lanes, the taken letters and the record of the replay are one transaction, so a
 * replay begins as a whole or not at all. Of two processes that begin one at the same time, one is refused. After that,
 * a replay is work on a run that has not ended: workers may die and join, and continue it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommittedOffset, KafkaPort, NewRecord, TopicDescription } from '../connectors/kafka/port.js';
import { openClient } from '../connectors/kafka/raw-client.js';
import { partitionIn, partitionsOf, rootProgressOf, type Checkpoint } from '../model/checkpoint.js';
import { codeOf, MillraceError } from '../model/errors.js';
import type { Json } from '../model/json.js';
import type { LetterHead } from '../model/ports.js';
import { knownOrder, ResumePlan } from '../runtime/resume/resume-plan.js';
import { redoing } from '../runtime/resume/run-past.js';
import type { EdgePosition } from './edge-source.js';
import { readGenerations, replayRecord, type Generations } from './generations.js';
import { CLOSED, REOPENED } from './lane.js';
import { readPast, recordsOf, stateRecord, type LanePast } from './lane-past.js';
import { stageOfLane, type LaneStage } from './lane-stage.js';
import { LaneTransaction } from './lane-transaction.js';
import { letterOf, replayedRecords, takenLetters, type StoredLetter } from './letter-topic.js';
import type { Edge, Stage } from './stages.js';
import { existingRun, stagesOf, type ExistingRun, type SpreadOptions } from './cluster-run.js';

/** The most milliseconds of the transaction that begins a replay. */
const TRANSACTION_TIMEOUT_MS = 15_000;
/** A lane that has just completed is shown as such after a moment. */
const LOOKS = 5;
const LOOK_EVERY_MS = 100;

/** The beginning of a replay. */
export interface ReplayStart {
  /** The number of dead letters whose records are processed again. */
  readonly replayed: number;
  /**
   * The number of dead letters that stay, because an aggregate or another boundary has emitted its results without
   * them, or a merge behind them may have emitted the same records.
   */
  readonly stay: number;
  /** True if an earlier replay has not ended. Then nothing was changed, and workers continue that replay. */
  readonly isUnderWay: boolean;
}

/** A letter in the run of its lane, with its offset in the topic. */
type LaneLetter = Omit<StoredLetter, 'letter' | 'lane'> & {
  /** The task that the letter names. */
  readonly task: string;
};

/** The letters of one lane. */
interface LaneRedo {
  readonly past: LanePast;
  readonly plan: ResumePlan;
  readonly redo: readonly LaneLetter[];
  /** The number of the others. */
  readonly stay: number;
}

/**
 * Begins a replay of the dead letters of a run whose lanes have all completed. Workers, of any machine, then
 * process the records of these letters again. Does nothing if no letter can be replayed. `options` must pass the checks
 * of `createRun`.
 *
 * Rejects with MILLRACE_UNKNOWN_RUN if there is no such run, with MILLRACE_RESUME if it has not ended or has another
 * definition, and with MILLRACE_LOCKED if another process begins a replay at the same time.
 */
export async function beginReplay(options: SpreadOptions): Promise<ReplayStart> {
  // Checks the options before anything is opened.
  stagesOf(options);
  const client = await openClient(options.cluster);
  try {
    return await beginReplayOf(await existingRun(client, options), options, client);
  } finally {
    await client.close();
  }
}

/** Like `beginReplay`, with a client that is connected. */
export async function beginReplayOf(
  run: ExistingRun,
  { workflow, cluster }: Pick<SpreadOptions, 'workflow' | 'cluster'>,
  client: KafkaPort,
): Promise<ReplayStart> {
  const { group } = run.plan;
  const transaction = new LaneTransaction({
    ...{ client, transactionalId: `${group}.replay`, group, timeoutMs: TRANSACTION_TIMEOUT_MS },
  });
  // Fences another process that has not begun its replay yet.
  await transaction.begin();
  try {
    return await new ReplayOpening({ run, workflow, cluster, client, transaction }).open();
  } catch (error) {
    await transaction.abort();
    if (codeOf(error) !== 'MILLRACE_LOCKED') throw error;
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Another process has begun a replay of run ${run.plan.run} at the same time. Begin it again to join it`,
      { cause: error },
    );
  } finally {
    transaction.close();
  }
}

interface ReplayOpeningParts extends Pick<SpreadOptions, 'workflow' | 'cluster'> {
  readonly run: ExistingRun;
  readonly client: KafkaPort;
  readonly transaction: LaneTransaction;
}

class ReplayOpening {
  private readonly parts: ReplayOpeningParts;
  /** The whole workflow, as one process would run it. */
  private readonly whole: ResumePlan;
  private readonly prepared = new Map<Stage, LaneStage['prepared']>();

  constructor(parts: ReplayOpeningParts) {
    this.parts = parts;
    const { plan, declarations } = parts.workflow;
    this.whole = new ResumePlan(plan, declarations);
  }

  async open(): Promise<ReplayStart> {
    const { run, client } = this.parts;
    const { runTopic } = run.plan;
    const generations = await readGenerations(client, this.topicOf(runTopic), this.timeoutMs);
    const isUnderWay = await this.isUnderWay(generations);
    const redos = new Map<number, LaneRedo>();
    let [replayed, stay] = [0, 0];
    for (const [lane, letters] of await this.letters()) {
      const found = lane === undefined ? undefined : await this.redoOf(lane, letters);
      replayed += found?.redo.length ?? 0;
      stay += found?.stay ?? letters.length;
      if (lane !== undefined && found !== undefined && found.redo.length > 0) redos.set(lane, found);
    }
    if (isUnderWay) return { replayed: 0, stay, isUnderWay };
    if (replayed > 0) await this.write(generations.last + 1, redos);
    return { replayed, stay, isUnderWay };
  }

  private get timeoutMs(): number {
    return this.parts.cluster.options.timeoutMs;
  }

  private topicOf(name: string): TopicDescription {
    return this.parts.run.topics.get(name) as TopicDescription;
  }

  /** Whether lanes are open. Throws MILLRACE_RESUME if these are lanes of the run itself. */
  private async isUnderWay({ last }: Generations): Promise<boolean> {
    const { plan, lanes } = this.parts.run;
    let open = await this.openLanes('current');
    for (let look = 1; look < LOOKS && open.length > 0; look++) {
      await sleep(LOOK_EVERY_MS);
      open = await this.openLanes('current');
    }
    // Only another process that begins a replay changes a lane that has completed. It is fenced, so its transaction ends.
    if (open.length === 0) open = await this.openLanes('stable');
    if (open.length === 0) return false;
    if (last > 0) return true;
    throw new MillraceError(
      'MILLRACE_RESUME',
      `Run ${plan.run} has not finished: ${open.length} of ${lanes.length} lanes have not completed, so its dead letters cannot be replayed yet. Run the workflow with these brokers and this id again to continue it`,
    );
  }

  /** The lanes that have not completed. 'stable' would wait for an owner of a lane that died while it committed. */
  private async openLanes(which: 'stable' | 'current'): Promise<ExistingRun['lanes']> {
    const { client, run } = this.parts;
    const committed = await client.committed(run.plan.group, this.topicOf(run.plan.stateTopic), which);
    return run.lanes.filter(({ lane }) => committed.get(lane)?.metadata !== CLOSED);
  }

  /** The letters that no replay has taken, by lane. */
  private async letters(): Promise<ReadonlyMap<number | undefined, readonly LaneLetter[]>> {
    const { client, run } = this.parts;
    const topic = this.topicOf(run.plan.letterTopic);
    const { taken } = await takenLetters(client, topic, this.timeoutMs);
    const found = new Map<number | undefined, LaneLetter[]>();
    for await (const record of recordsOf(client, topic, 0, this.timeoutMs)) {
      const stored = letterOf(record);
      if (stored === undefined || taken.has(record.offset)) continue;
      const { letter, lane, ...rest } = stored;
      const own = found.get(lane) ?? [];
      found.set(lane, own);
      own.push({ ...rest, task: letter.task });
    }
    return found;
  }

  private async redoOf(lane: number, letters: readonly LaneLetter[]): Promise<LaneRedo> {
    const past = await this.pastOf(lane);
    const { of: stage } = this.laneAt(lane);
    const plan = this.planOf(stage, past.checkpoint);
    const canRedo = (letter: LaneLetter): boolean =>
      plan.canRedo(letter.head.task, letter.head.lineage.root) && this.canReachSinks(letter, stage);
    const redo = letters.filter(canRedo);
    // The entries of a large state are not needed from here on.
    return { past: { ...past, entries: new Map() }, plan, redo, stay: letters.length - redo.length };
  }

  /** Whether one process could replay the letter: then no boundary is between its task and the sinks. */
  private canReachSinks({ task, head }: LaneLetter, stage: Stage): boolean {
    const node = this.parts.workflow.plan.nodes.find((one) => one.node.name === task);
    if (node === undefined) return false;
    const edge = stage.outputs.find(({ writer }) => writer === head.task);
    if (edge !== undefined) {
      // One input of a join: the join has emitted results without it.
      if (edge.dependency !== undefined || node.node.bearing !== 'inherits') return false;
      return this.whole.canRedo(task, node.outputRoot);
    }
    const local = this.preparedOf(stage).plan.nodes.find((one) => one.node.name === head.task);
    // A boundary may give up its inputs and its outputs.
    return local?.outputRoot === head.lineage.root && this.whole.canRedo(task, node.outputRoot);
  }

  private async write(generation: number, redos: ReadonlyMap<number, LaneRedo>): Promise<void> {
    const { client, transaction, run } = this.parts;
    const { group, stateTopic, letterTopic, runTopic } = run.plan;
    const open = this.lanesToOpen(redos);
    // All states are read before the transaction begins, because they may be large.
    const states = new Map<number, readonly NewRecord[]>();
    for (const lane of open) states.set(lane, await this.stateOf(lane, generation, redos.get(lane), open));
    for (const [lane, records] of states) await transaction.write(this.topicOf(stateTopic), records, lane);
    const taken = [...redos.values()].flatMap(({ redo }) => redo.map(({ offset }) => offset));
    await transaction.write(this.topicOf(letterTopic), replayedRecords(taken), 0);
    await transaction.write(this.topicOf(runTopic), [replayRecord(generation, [...open])], 0);
    const offsets = [...open].map((lane): [number, CommittedOffset] => [lane, { offset: 0, metadata: REOPENED }]);
    await transaction.commit(new Map([[stateTopic, new Map(offsets)]]));
    // A worker that starts now must not see the lanes as completed.
    await client.committed(group, this.topicOf(stateTopic), 'stable', [...open]);
  }

  /** The lanes with letters, and all lanes of the stages that their records may reach. In ascending order. */
  private lanesToOpen(redos: ReadonlyMap<number, LaneRedo>): ReadonlySet<number> {
    const { plan, lanes } = this.parts.run;
    const stageOf = new Map(plan.stages.flatMap((stage) => stage.tasks.map((task) => [task, stage] as const)));
    const behind = new Set<Stage>();
    for (const [lane, { redo }] of redos) {
      const { of: own } = this.laneAt(lane);
      for (const task of this.reachedFrom(redo.map((letter) => letter.task))) {
        const stage = stageOf.get(task);
        if (stage !== undefined && stage !== own) behind.add(stage);
      }
    }
    return new Set(lanes.filter(({ lane, of }) => redos.has(lane) || behind.has(of)).map(({ lane }) => lane));
  }

  /** These tasks and all tasks behind them. */
  private reachedFrom(tasks: readonly string[]): ReadonlySet<string> {
    const nodes = new Map(this.parts.workflow.plan.nodes.map((node) => [node.node.name, node]));
    // A set that grows during the loop.
    const reached = new Set(tasks);
    for (const task of reached) for (const next of nodes.get(task)?.dependents ?? []) reached.add(next);
    return reached;
  }

  /** The records with which the lane begins the replay. */
  private async stateOf(
    lane: number,
    generation: number,
    redo: LaneRedo | undefined,
    open: ReadonlySet<number>,
  ): Promise<readonly NewRecord[]> {
    const { of: stage, partition } = this.laneAt(lane);
    const past = redo?.past ?? (await this.pastOf(lane));
    const { checkpoint } = past;
    if (checkpoint === undefined) throw new TypeError(`Lane ${lane} has completed without a checkpoint`);
    const plan = redo?.plan ?? this.planOf(stage, checkpoint);
    const heads = (redo?.redo ?? []).map(({ head }) => head);
    // Its tasks run again, also those that receive no record.
    const { ended: _, ...next } = this.withPositions(redoing(checkpoint, heads, plan), stage, partition, open);
    return [...forgotten(past, heads), stateRecord(['generation'], generation), stateRecord(['checkpoint'], next)];
  }

  /** The checkpoint with the positions from which the lane reads its topics. */
  private withPositions(
    checkpoint: Checkpoint,
    { inputs }: Stage,
    partition: number,
    open: ReadonlySet<number>,
  ): Checkpoint {
    const roots = { ...checkpoint.roots };
    const positions: Record<string, Json> = { ...checkpoint.positions };
    for (const edge of inputs) {
      const progress = partitionIn(roots[edge.reader], partition) ?? { watermark: 0, born: 0, passed: {} };
      const known = roots[edge.reader];
      roots[edge.reader] = rootProgressOf({ ...(known && partitionsOf(known)), [partition]: progress });
      const position: EdgePosition = {
        lineage: progress.watermark,
        ended: this.writersAtRest(edge, open),
        least: progress.born,
      };
      positions[edge.reader] = { partitions: { [partition]: position } };
    }
    return { ...checkpoint, roots, positions };
  }

  /** The lanes, among those that write to the topic, that do not take part. */
  private writersAtRest({ topic, writers }: Edge, open: ReadonlySet<number>): number[] {
    const awaited = new Set(
      this.parts.run.lanes.flatMap(({ lane, partition, of }) =>
        open.has(lane)
          ? of.outputs.flatMap((edge) => (edge.topic === topic ? [edge.firstWriter + partition] : []))
          : [],
      ),
    );
    return [...new Array(writers).keys()].filter((writer) => !awaited.has(writer));
  }

  private laneAt(lane: number): ExistingRun['lanes'][number] {
    return this.parts.run.lanes[lane] as ExistingRun['lanes'][number];
  }

  private pastOf(lane: number): Promise<LanePast> {
    const { client, run } = this.parts;
    return readPast(client, this.topicOf(run.plan.stateTopic), lane, this.timeoutMs);
  }

  private planOf(stage: Stage, checkpoint: Checkpoint | undefined): ResumePlan {
    const { plan, declarations } = this.preparedOf(stage);
    return new ResumePlan(plan, declarations, true, checkpoint && knownOrder(checkpoint));
  }

  /** The workflow of the lanes of a stage, which is only looked at. */
  private preparedOf(stage: Stage): LaneStage['prepared'] {
    const { run, workflow, cluster, client, transaction } = this.parts;
    const known = this.prepared.get(stage);
    if (known !== undefined) return known;
    const { prepared } = stageOfLane(
      { stage, partition: 0, generation: 0, client, transaction, order: undefined },
      { ...run, workflow, cluster },
    );
    this.prepared.set(stage, prepared);
    return prepared;
  }
}

/**
 * Removes the letters whose records are processed again from the state of the lane. A next owner that knew them would
 * give the records up again.
 */
function forgotten({ letters }: LanePast, redo: readonly LetterHead[]): NewRecord[] {
  const redone = new Set(redo.map(nameOf));
  return [...letters].flatMap(([number, head]) =>
    redone.has(nameOf(head)) ? [stateRecord(['letter', number], undefined)] : [],
  );
}

function nameOf({ task, lineage: { root, partition, number } }: LetterHead): string {
  return JSON.stringify([task, root, partition, number]);
}
