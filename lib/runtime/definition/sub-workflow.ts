/**
 * A workflow as a task of another one. When the outer workflow is prepared, the task is replaced by the tasks of the
 * inner one, whose names begin with the name of the task: `Score/Features`. With `forEach`, the
 * inner workflow collects records per record of the outer one.
 *
 * Guarantees: the tasks keep their meaning, so windows, joins, failures, checkpoints and views need no rule for them;
 * each run builds tasks of its own; a workflow that contains itself is refused. With `forEach`, each record of the outer
 * task has one output, which keeps its lineage; tasks that would mix records are refused.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { invalidOption, MillraceError } from '../../model/errors.js';
import { planGraph, type GraphNode, type NodePlan } from '../../model/graph.js';
import { anything, checkOptions, oneOf, text, type OptionRules } from '../../options/options.js';
import { graphOf, type JoinOptions, type TaskDeclaration } from '../../tasks/flow.js';
import { SyncTask } from '../../tasks/sync-task.js';
import { BaseTask, type Task } from '../../tasks/task.js';
import { suggest } from '../../text/nearest.js';
import {
  declarationsOf,
  type BuildContext,
  type ListedDefinition,
  type WorkflowDefinition,
} from './workflow-definition.js';

/** Options of `subWorkflow`. */
export interface SubWorkflowOptions<Input extends string, Output extends string, Config = unknown> {
  /** The source of the inner workflow that the records of the outer task replace. It is not read. */
  readonly input: Input;
  /** The task, or the named output, of the inner workflow whose records the outer task emits. */
  readonly output: Output;
  /** The configuration of the inner workflow. Default: none. */
  readonly config?: Config;
  /**
   * Runs the workflow once per record: its aggregates, and its joins `all` and `gather`, collect what descends from one
   * record of the outer task, and the task emits one output per record. `one`: the output itself, of which there is one
   * per record. `list`: an array of the outputs. Default: the workflow runs once, over all records.
   */
  readonly forEach?: 'one' | 'list';
}

const RULES: OptionRules<SubWorkflowOptions<string, string>> = {
  input: text,
  output: text,
  config: anything,
  forEach: oneOf('one', 'list'),
};

/** The part of a `Workflow` that `subWorkflow` uses. */
export interface Reusable<Config extends StandardSchemaV1, Outputs> {
  /** The name of the workflow, for messages. */
  readonly name: string;
  /**
   * Its definition. Inside of another workflow, its window, dead letters, schedules and `onEnd` are ignored.
   */
  readonly definition: WorkflowDefinition<Config, Outputs> | ListedDefinition<Config>;
  /** Parses the configuration; throws MILLRACE_CONFIG. */
  parseConfig(config: unknown): StandardSchemaV1.InferOutput<Config>;
}

/**
 * Uses a workflow as a task: the records of the dependencies take the place of its source `input`, and the task emits
 * the records of its task `output`. The inner tasks appear in every view as `Task/Inner`. `subWorkflow` throws
 * MILLRACE_INVALID_OPTION for options that do not fit. Preparing the outer workflow throws it if `input` is no source
 * of the inner one, MILLRACE_UNKNOWN_TASK if `output` does not exist, MILLRACE_CYCLE if a workflow contains itself,
 * MILLRACE_CONFIG if `config` does not fit, and MILLRACE_JOIN if the workflow cannot run once per record (`forEach`).
 *
 * @example flow.task('Score', ['Members'], subWorkflow(Scoring, { input: 'Members', output: 'Best' }))
 * @example flow.task('Total', ['Orders'], subWorkflow(Pricing, { input: 'Orders', output: 'Sum', forEach: 'one' }))
 */
export function subWorkflow<
  Config extends StandardSchemaV1,
  Outputs,
  const Input extends keyof Outputs & string,
  const Output extends keyof Outputs & string,
  const ForEach extends 'one' | 'list' = 'one',
>(
  workflow: Reusable<Config, Outputs>,
  options: SubWorkflowOptions<Input, Output, StandardSchemaV1.InferInput<Config>> &
    ConfigOf<Config> & { readonly forEach?: ForEach },
): Task<Outputs[Input], ForEach extends 'list' ? Outputs[Output][] : Outputs[Output]> {
  const { definition } = Object(workflow) as Partial<Reusable<Config, Outputs>>;
  if (definition === undefined) {
    throw invalidOption('Expected the first argument of subWorkflow to be a workflow, as `defineWorkflow` returns it');
  }
  checkOptions('a subWorkflow', options, RULES, ['input', 'output']);
  return new SubWorkflowTask(workflow as unknown as Inner, options);
}

/** A workflow with a schema needs its configuration. */
type ConfigOf<Config extends StandardSchemaV1> =
  unknown extends StandardSchemaV1.InferInput<Config>
    ? object
    : { readonly config: StandardSchemaV1.InferInput<Config> };

type Inner = Reusable<StandardSchemaV1, unknown>;

/** Stands for the tasks of another workflow until the graph is made. */
class SubWorkflowTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'sub-workflow';
  readonly inner: Inner;
  readonly given: SubWorkflowOptions<string, string>;

  constructor(inner: Inner, given: SubWorkflowOptions<string, string>) {
    super();
    this.inner = inner;
    this.given = given;
  }

  override operator(): never {
    throw new MillraceError('MILLRACE_TASK', `'${this.inner.name}' was not replaced by its tasks`);
  }
}

/** Passes records on, at the beginning and at the end of a sub-workflow, and between tasks of one that runs per record. */
class Gate extends SyncTask<unknown, unknown> {
  override readonly kind: string;

  constructor(kind: string, work: (record: unknown) => unknown = (record) => record) {
    super(work, {});
    this.kind = kind;
  }
}

/** The declarations, with the tasks of other workflows in place of each sub-workflow. */
export function withSubWorkflows(
  declarations: readonly TaskDeclaration[],
  context: BuildContext,
  within: readonly Inner[] = [],
): readonly TaskDeclaration[] {
  if (!declarations.some(({ task }) => task instanceof SubWorkflowTask)) return declarations;
  return declarations.flatMap((declaration) =>
    declaration.task instanceof SubWorkflowTask
      ? replaced(declaration, declaration.task as SubWorkflowTask<never, unknown>, context, within)
      : [declaration],
  );
}

function replaced(
  outer: TaskDeclaration,
  { inner, given }: SubWorkflowTask<never, unknown>,
  context: BuildContext,
  within: readonly Inner[],
): readonly TaskDeclaration[] {
  if (within.includes(inner)) {
    throw new MillraceError(
      'MILLRACE_CYCLE',
      `Workflow '${inner.name}' contains itself, as '${outer.name}'. Remove one of the two`,
    );
  }
  const config = inner.parseConfig(given.config);
  const tasks = withSubWorkflows(declarationsOf(inner.definition, config, context), context, [...within, inner]);
  const source = tasks.find(({ name }) => name === given.input);
  if (source?.task.bearing !== 'source') {
    const sources = tasks.filter(({ task }) => task.bearing === 'source').map(({ name }) => name);
    const what = source === undefined ? 'a task that does not exist' : 'another task';
    throw invalidOption(
      `Expected \`input\` of '${outer.name}' to name a source of workflow '${inner.name}', got '${given.input}', ${what}.${suggest(given.input, sources)}`,
    );
  }
  if (source.after !== undefined) {
    throw invalidOption(
      `Expected \`input\` of '${outer.name}' to name a source without a rule, got '${given.input}', which runs after ${source.after.map((name) => `'${name}'`).join(', ')} in workflow '${inner.name}': its records come from '${outer.name}'. Give the rule to '${outer.name}'`,
    );
  }
  const prefix = `${outer.name}/`;
  const moved = tasks.map((task): TaskDeclaration => {
    const { name, dependencies, join, after, members } = task;
    if (task === source) return { ...outer, name: prefix + name, task: new Gate('input') };
    return {
      ...task,
      name: prefix + name,
      dependencies: dependencies.map((label) => prefix + label),
      ...(join && { join: renamed(join, prefix) }),
      ...(after && { after: after.map((label) => prefix + label) }),
      ...(members && { members: members.map((label) => prefix + label) }),
      prefix: prefix + (task.prefix ?? ''),
    };
  });
  const result = { name: outer.name, dependencies: [prefix + given.output], task: new Gate('sub-workflow') };
  const all = [...moved, result];
  const placed = given.forEach === undefined ? all : new PerRecord(all, prefix + given.input, given.forEach).tasks();
  const input = prefix + given.input;
  const others = placed.map(({ name }) => name).filter((name) => name !== outer.name && name !== input);
  return placed.map((task) => (task.name === outer.name ? { ...task, members: [input, ...others] } : task));
}

function renamed(join: JoinOptions, prefix: string): JoinOptions {
  if (join.join !== 'aligned' || join.optional === undefined) return join;
  return { ...join, optional: join.optional.map((label) => prefix + label) };
}

/** The tasks in which a record of a sub-workflow was expanded, outermost first; empty for what belongs to the record. */
type Level = readonly string[];

/**
 * The tasks of a sub-workflow that runs once per record. The lineage of a record is its run: what the inner workflow
 * collects to its end is gathered per record, from all that descends from it.
 */
class PerRecord {
  private readonly declared: ReadonlyMap<string, TaskDeclaration>;
  private readonly plans: readonly NodePlan[];
  private readonly input: string;
  private readonly outer: string;
  private readonly forEach: 'one' | 'list';
  private readonly levels = new Map<string, Level>();
  /** By dependency, the task that makes one list of its records per record of the outer task. */
  private readonly lists = new Map<string, string>();
  private readonly made: TaskDeclaration[] = [];

  /**
   * @param declarations the tasks of the sub-workflow; the last one is its end.
   * @param input the task at which the records of the outer task come in.
   */
  constructor(declarations: readonly TaskDeclaration[], input: string, forEach: 'one' | 'list') {
    this.declared = new Map(declarations.map((declaration) => [declaration.name, declaration]));
    this.input = input;
    this.outer = (declarations.at(-1) as TaskDeclaration).name;
    this.forEach = forEach;
    this.plans = planGraph(graphOf(declarations).map((node) => (node.name === input ? asSource(node) : node))).nodes;
  }

  /** Throws MILLRACE_JOIN for a task that would mix records. */
  tasks(): readonly TaskDeclaration[] {
    for (const plan of this.plans) this.place(plan);
    return this.made;
  }

  private place(plan: NodePlan): void {
    const { name, bearing } = plan.node;
    const declared = this.declared.get(name) as TaskDeclaration;
    if (name === this.input) {
      this.put(declared, []);
      return;
    }
    if (bearing === 'source') throw this.refuse(name, 'is a source of its own, which would be read for all records');
    if (declared.after !== undefined) throw this.refuse(name, 'runs after other tasks, once for all records');
    const [joined, level] = this.joined(declared, plan);
    if (name === this.outer) {
      this.end(joined, level);
      return;
    }
    const { task } = declared;
    if (bearing !== 'boundary') this.put(joined, level);
    else if (task.expands) this.put(joined, [...level, name]);
    else this.putCollecting(joined, level);
  }

  /** The task with its join per record, and the level of what the join hands over. */
  private joined(declared: TaskDeclaration, { join, keepsLineage, inputs }: NodePlan): [TaskDeclaration, Level] {
    const { name } = declared;
    const [first = this.input] = inputs.map(({ task }) => task);
    const level = this.levels.get(first) as Level;
    if (join === 'gather') return [declared, level.slice(0, -1)];
    if (join === 'all') {
      const { join: how, ...others } = declared;
      const limit = how?.join === 'all' ? how.limit : undefined;
      return [{ ...others, dependencies: inputs.map(({ label, task }) => this.listOf(label, task, limit)) }, []];
    }
    if (!keepsLineage) throw this.refuse(name, `joins by '${join}', where records of different runs meet`);
    return [declared, level];
  }

  /** A boundary over all records, as a task over one list per record. */
  private putCollecting(joined: TaskDeclaration, level: Level): void {
    const { name, dependencies, join, task } = joined;
    const { listForm } = task;
    if (listForm === undefined) {
      throw this.refuse(name, `is a task of kind '${task.kind}', which works over all records together`);
    }
    let [label = ''] = dependencies;
    let from = this.plans.find(({ node }) => node.name === name)?.inputs[0]?.task ?? label;
    if (join !== undefined || dependencies.length > 1) {
      label = from = `${name} (records)`;
      this.put({ ...joined, name: label, task: new Gate('join') }, level);
    }
    const { join: _, ...others } = joined;
    this.put({ ...others, dependencies: [this.listOf(label, from)], task: listForm }, listForm.expands ? [name] : []);
  }

  /** The end of the sub-workflow: one output per record. */
  private end(declared: TaskDeclaration, level: Level): void {
    const [label = ''] = declared.dependencies;
    if (this.forEach === 'list') {
      const { inputs } = this.plans.find(({ node }) => node.name === this.outer) as NodePlan;
      this.put({ ...declared, dependencies: [this.listOf(label, inputs[0]?.task ?? label)] }, []);
    } else if (level.length === 0) this.put(declared, []);
    else {
      throw this.refuse(
        label,
        `emits several records per record, because '${level.join("' and '")}' expands it. Use forEach: 'list', or gather or aggregate them first`,
        '',
      );
    }
  }

  /** The name of a task that makes one list per record of what this dependency emits. */
  private listOf(label: string, task: string, limit?: number): string {
    const known = this.lists.get(label);
    if (known !== undefined) return known;
    const level = this.levels.get(task) as Level;
    const list = `${label} (list)`;
    const gathering = { join: 'gather', ...(limit === undefined ? {} : { limit }) } as const;
    if (level.length === 0) this.put({ name: list, dependencies: [label], task: new Gate('list', (one) => [one]) }, []);
    let from = label;
    for (let depth = level.length; depth > 0; depth--) {
      const name = depth === 1 ? list : `${label} (list ${depth})`;
      const work = depth === level.length ? undefined : flat;
      this.put(
        { name, dependencies: [from], join: gathering, task: new Gate('list', work) },
        level.slice(0, depth - 1),
      );
      from = name;
    }
    this.lists.set(label, list);
    return list;
  }

  private put(declaration: TaskDeclaration, level: Level): void {
    this.levels.set(declaration.name, level);
    this.made.push(declaration);
  }

  private refuse(task: string, why: string, fix = '. Remove it, or `forEach`'): MillraceError {
    return new MillraceError('MILLRACE_JOIN', `'${this.outer}' cannot run once per record: '${task}' ${why}${fix}`);
  }
}

/** The beginning of a sub-workflow, as if nothing were in front of it. */
function asSource({ name }: GraphNode): GraphNode {
  return { name, dependencies: [], bearing: 'source' };
}

const flat = (lists: unknown): unknown => (lists as readonly unknown[][]).flat();
