/**
 * Cuts a workflow into stages. It cuts the edges in front of a task that needs all records of a key, or all records, in
 * one place.
 *
 * A stage is a workflow of its own. It is processed in lanes: each partition of its input topics is a lane, which is an
 * ordinary run. A stage that begins with a source of the workflow has one lane.
 *
 * Guarantees: the same workflow has the same stages. `GONE` slots, which aligned joins need, and the parents that
 * `gather` needs do not cross a topic. A workflow that would need them behind a topic is refused.
 */
import { MillraceError } from '../model/errors.js';
import { FAILED, joinRootOf, type GraphPlan, type JoinMode, type NodePlan } from '../model/graph.js';
import { skippedIfCompleted } from '../runtime/run/phase-order.js';
import type { JoinOptions, TaskDeclaration } from '../tasks/flow.js';
import type { Partitioning } from '../tasks/task.js';
import { TopicNames } from './topic-names.js';

/** A topic between two stages. */
export interface Edge {
  /** The name of the topic. */
  readonly topic: string;
  /** The number of its partitions, which are the lanes of the stage behind it. */
  readonly partitions: number;
  /** The stage that writes it. */
  readonly from: string;
  /** The task at its end, the first one of its stage. */
  readonly to: string;
  /** The dependencies of the writer. */
  readonly labels: readonly string[];
  /** How the writer joins several dependencies; undefined for one. */
  readonly join: JoinOptions | undefined;
  /** The index of the dependency of `to` that the topic stands for; undefined if it carries the whole input of `to`. */
  readonly dependency: number | undefined;
  /** The number of lanes, of all stages, that write to the topic. */
  readonly writers: number;
  /** The number, among them, of the first lane of the writing stage. */
  readonly firstWriter: number;
  /** The name of the dependency that is added to each record, as a labelled merge does; undefined for none. */
  readonly label: string | undefined;
  /** Whether the topic carries the time that its writers have reached, for windows behind it. */
  readonly isTimed: boolean;
  /** Whether the key of a record chooses the partition. Otherwise there is one partition. */
  readonly isKeyed: boolean;
  /** The name of the source that reads it, in its stage. */
  readonly reader: string;
  /** The name of the sink that writes it, in its stage. */
  readonly writer: string;
}

/** A part of the workflow that is processed in lanes. */
export interface Stage {
  /** The name of its first task. */
  readonly name: string;
  /** The number of its lanes. */
  readonly lanes: number;
  /** The number of its phase. Its lanes begin when all lanes of the phases before have completed. */
  readonly phase: number;
  /** Its tasks, in the order of the graph. */
  readonly tasks: readonly string[];
  /**
   * The topics that its first task reads, each once, also if several stages write to it; none if the task is a source
   * of the workflow.
   */
  readonly inputs: readonly Edge[];
  /** The topics that its tasks write. */
  readonly outputs: readonly Edge[];
  /**
   * Whether an expansion has the records of the topic as its parents. They then get numbers that stay the same when
   * another worker continues the lane.
   */
  readonly isNumbered: boolean;
}

/** The whole plan. */
export interface StagePlan {
  /** The name of the workflow. */
  readonly workflow: string;
  /** The id of the run. */
  readonly run: string;
  /** The stages, in the order of the graph. */
  readonly stages: readonly Stage[];
  /** The tasks whose rules are not met in a run that completes, with the reasons. No lane has them. */
  readonly skipped: ReadonlyMap<string, string>;
  /** The group of the workers. It is also the prefix of the names of all topics. */
  readonly group: string;
  /** The compacted topic with the progress and the state of each lane, one partition per lane. */
  readonly stateTopic: string;
  /** The topic of dead letters. */
  readonly letterTopic: string;
  /** The topic whose first record describes the run. */
  readonly runTopic: string;
  /** The topic of the news of all lanes, for the processes that follow the run. */
  readonly eventTopic: string;
}

export interface StageOptions {
  readonly workflow: string;
  readonly run: string;
  /** The partitions of each keyed edge. */
  readonly partitions: number;
}

interface OpenStage extends Stage {
  isNumbered: boolean;
  readonly tasks: string[];
  readonly outputs: Edge[];
}

/** Throws MILLRACE_SPREAD for a workflow that cannot be spread; the message names the task. */
export function planStages(
  plan: GraphPlan,
  declarations: readonly TaskDeclaration[],
  options: StageOptions,
): StagePlan {
  return new StagePlanner(plan, declarations, options).planned();
}

class StagePlanner {
  private readonly plan: GraphPlan;
  private readonly options: StageOptions;
  private readonly declared: ReadonlyMap<string, TaskDeclaration>;
  private readonly names: TopicNames;
  private readonly stages: OpenStage[] = [];
  private readonly skipped: ReadonlyMap<string, string>;
  private readonly phaseOf: ReadonlyMap<string, number>;
  /** By task. */
  private readonly stageOf = new Map<string, OpenStage>();

  constructor(plan: GraphPlan, declarations: readonly TaskDeclaration[], options: StageOptions) {
    this.plan = plan;
    this.options = options;
    this.declared = new Map(declarations.map((declaration) => [declaration.name, declaration]));
    this.names = new TopicNames(options.workflow, options.run);
    this.skipped = skippedIfCompleted(plan);
    this.phaseOf = new Map(
      plan.phases.flatMap(({ parts }, phase) =>
        parts.flatMap(({ tasks }) => tasks.map((task) => [task, phase] as const)),
      ),
    );
  }

  planned(): StagePlan {
    const { skipped } = this;
    const { workflow, run } = this.options;
    const of = (name: string): string => this.names.of(name);
    const stateTopic = of('state');
    const letterTopic = of('dead-letters');
    const runTopic = of('run');
    const eventTopic = of('events');
    for (const node of this.plan.nodes) this.place(node);
    return {
      ...{ workflow, run, stages: this.stages, skipped, group: this.names.prefix },
      ...{ stateTopic, letterTopic, runTopic, eventTopic },
    };
  }

  private place(node: NodePlan): void {
    const { name, bearing, after } = node.node;
    if (this.skipped.has(name)) return;
    const { task } = this.declared.get(name) as TaskDeclaration;
    if (bearing === 'source') {
      if (!task.isRepeatable) {
        throw refuse(`source '${name}' cannot be read again after a crash. Let it write to a topic, and read that`);
      }
      this.open(name, 1, []);
      return;
    }
    if (after !== undefined) {
      this.open(name, 1, []);
      return;
    }
    const need = this.needOf(node);
    const before = [...new Set(node.node.dependencies.map((from) => this.stageOf.get(from) as OpenStage))];
    const [only] = before as [OpenStage];
    const isCut = before.length > 1 || isKeyed(need) || (need === 'whole' && only.lanes > 1);
    if (task.timing !== undefined) this.assertInTime(node, isCut);
    if (!isCut) {
      // The root of the parents lies in another stage, if no task of this stage makes it.
      if (task.expands && only.inputs.length > 0 && !this.isMadeIn(only, node.inputRoot)) only.isNumbered = true;
      only.tasks.push(name);
      this.stageOf.set(name, only);
      return;
    }
    this.cut(node, before, need);
  }

  private cut(node: NodePlan, before: readonly OpenStage[], need: Partitioning | undefined): void {
    const {
      node: { name },
      join,
      inputs,
    } = node;
    const { join: how, task, prefix = '' } = this.declared.get(name) as TaskDeclaration;
    const isTimed = task.timing !== undefined;
    const isTogether = before.length === 1 && (join === 'aligned' || join === 'merge' || join === 'gather');
    // Several stages write to one topic then, because a union behind topics would not know their times.
    const isShared = isTimed && before.length > 1 && join === 'merge';
    if (before.length > 1 && (join === 'aligned' || join === 'gather')) {
      throw refuse(
        `'${name}' joins ${inputs.map(({ label }) => `'${label}'`).join(' and ')} (${join}), which lie on two sides of a topic: ${before.map(describe).join(' and ')}. ${join === 'gather' ? 'Gather before records are divided by a key' : "Join them by a key ({ join: 'keyed' }), or before records are divided by a key"}`,
      );
    }
    const failed = inputs.find(({ output }) => output === FAILED);
    if (failed !== undefined) {
      throw refuse(
        `'${failed.label}' would cross a topic in front of '${name}', and errors do not keep their class there. Put a syncTask behind it that makes plain records`,
      );
    }
    const keyed = isKeyed(need);
    const partitions = keyed ? this.options.partitions : 1;
    const groups = isShared
      ? before.map((stage) => inputs.filter((input) => this.stageOf.get(input.task) === stage))
      : isTogether
        ? [inputs]
        : inputs.map((input) => [input]);
    const isLabelled = how?.join === 'merge' && how.labelled === true;
    const lanesInFront = before.reduce((sum, stage) => sum + stage.lanes, 0);
    const isOneTopic = isShared || groups.length === 1;
    const sharedTopic = isOneTopic ? this.names.of(name) : '';
    const reader = this.fresh(inputs.map(({ label }) => label).join(' + '), [name]);
    let firstWriter = 0;
    const edges = groups.map((group, index): { edge: Edge; from: OpenStage } => {
      const labels = group.map(({ label }) => label);
      const shown = labels.join(' + ');
      const from = this.stageOf.get((group[0] as (typeof group)[number]).task) as OpenStage;
      const edge: Edge = {
        topic: isOneTopic ? sharedTopic : this.names.of(`${name}.${shown}`),
        partitions,
        from: from.name,
        to: name,
        labels,
        join: (isTogether || isShared) && labels.length > 1 ? how : undefined,
        dependency: isTogether || isShared ? undefined : index,
        writers: isShared ? lanesInFront : from.lanes,
        firstWriter: isShared ? firstWriter : 0,
        label: isShared && isLabelled && labels.length === 1 ? shown.slice(prefix.length) : undefined,
        isTimed,
        isKeyed: keyed,
        reader: isShared ? reader : this.fresh(shown, [name]),
        writer: this.fresh(groups.length === 1 ? `to ${name}` : `${shown} to ${name}`, from.tasks),
      };
      firstWriter += from.lanes;
      return { from, edge };
    });
    for (const { edge, from } of edges) from.outputs.push(edge);
    const read = isShared ? edges.slice(0, 1) : edges;
    this.open(
      name,
      partitions,
      read.map(({ edge }) => edge),
    );
  }

  /**
   * Throws MILLRACE_SPREAD if the records of a window task would not be in an order in time. A lane knows that order for
   * the records of a source in its stage, and for the results of windows in its stage.
   */
  private assertInTime({ node: { name }, inputs }: NodePlan, isCut: boolean): void {
    for (const { task, label } of inputs) {
      const stage = this.stageOf.get(task) as OpenStage;
      if (this.isInTime(task, stage)) continue;
      throw refuse(
        isCut
          ? `'${name}' has windows of time, and the records of '${label}' have crossed a topic before, where they lost their order in time. Put '${name}' behind one topic only: behind tasks of the stage of its source, or of other windows of time`
          : `'${name}' has windows of time without a key behind ${describe(stage)}, where records have no known order in time. Give it a key, or put it in front of that topic`,
      );
    }
  }

  /** Whether the outputs of the task leave its stage in an order in time, if its source has one. */
  private isInTime(task: string, stage: OpenStage): boolean {
    if (stage.inputs.length === 0) return true;
    const { outputRoot } = this.nodeOf(task);
    const maker = this.plan.nodes.find(({ node }) => node.name === outputRoot);
    // A join of several inputs, or a root of another stage.
    if (maker === undefined || this.stageOf.get(outputRoot) !== stage) return false;
    if (this.declared.get(outputRoot)?.task.timing !== undefined) return true;
    return maker.node.expands === true && maker.inputs.every((input) => this.isInTime(input.task, stage));
  }

  /** Whether a task of the stage makes the root. */
  private isMadeIn({ name, tasks, inputs }: OpenStage, root: string | undefined): boolean {
    // The stages in front may have done the join of the first task.
    const isJoinedBefore = inputs.some(({ dependency }) => dependency === undefined);
    return tasks.some((task) => task === root || (joinRootOf(task) === root && !(task === name && isJoinedBefore)));
  }

  private nodeOf(task: string): NodePlan {
    return this.plan.nodes.find(({ node }) => node.name === task) as NodePlan;
  }

  private open(name: string, lanes: number, inputs: readonly Edge[]): void {
    const phase = this.phaseOf.get(name) as number;
    const stage: OpenStage = { name, lanes, phase, tasks: [name], inputs, outputs: [], isNumbered: false };
    this.stages.push(stage);
    this.stageOf.set(name, stage);
  }

  /** The records of its input that the task must receive in one place. */
  private needOf({ node, join }: NodePlan): Partitioning | undefined {
    const { task } = this.declared.get(node.name) as TaskDeclaration;
    const isBoundary = node.bearing === 'boundary' && !task.expands;
    const own = task.partitioning ?? (isBoundary ? 'whole' : undefined);
    const writesAlone =
      (task.isDurable && task.isShareable !== true) || task.files().some(({ use }) => use === 'write');
    const ofJoin = needOfJoin(join);
    if (writesAlone || ofJoin === 'whole') return 'whole';
    // Two keys cannot divide one topic.
    if (ofJoin !== undefined && own !== undefined) return 'whole';
    return ofJoin ?? own;
  }

  /** A name that none of these tasks has. */
  private fresh(wanted: string, tasks: readonly string[]): string {
    let name = wanted;
    while (tasks.includes(name)) name = `${name} `.concat('(topic)');
    return name;
  }
}

/** The key itself is read from the declaration when the stage is built. */
const BY_KEYS: Partitioning = { key: () => undefined };

function needOfJoin(join: JoinMode): Partitioning | undefined {
  if (join === 'keyed') return BY_KEYS;
  return join === 'latest' || join === 'all' ? 'whole' : undefined;
}

function isKeyed(need: Partitioning | undefined): boolean {
  return typeof need === 'object';
}

function describe({ name, inputs }: Stage): string {
  return inputs.length === 0 ? `the stage of source '${name}'` : `the stage of '${name}'`;
}

function refuse(why: string): MillraceError {
  return new MillraceError('MILLRACE_SPREAD', `The workflow cannot be spread over several processes: ${why}`);
}
