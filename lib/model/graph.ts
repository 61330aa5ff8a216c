/**
 * The graph of a workflow as data: validated, sorted, and divided into regions.
 *
 * A *region* is the part of the graph whose records carry lineages of one root.
 *
 * Guarantees: a graph that `planGraph` accepts can be wired without another check; an error names the tasks, and the
 * nearest existing name.
 */
import { MillraceError } from './errors.js';
import { suggest } from '../text/nearest.js';
import { planPhases, type RuleCondition, type PhasePlan } from './phases.js';

export type JoinMode = 'aligned' | 'latest' | 'keyed' | 'all' | 'gather' | 'merge';

/** The named output of the records that a task gave up. */
export const FAILED = 'failed';

/** One task as its author declared it. */
export interface GraphNode {
  readonly name: string;
  /** Names of tasks, or of their named outputs: `Route.large`, `Ask.failed`. In a plan: names of tasks. */
  readonly dependencies: readonly string[];
  /** The mode that the author declared, if any. */
  readonly join?: JoinMode | undefined;
  /** The dependencies of an aligned join whose records may be missing, as they are written in `dependencies`. */
  readonly optional?: readonly string[] | undefined;
  /** The named outputs of a task that emits each record by exactly one of them. */
  readonly outputs?: readonly string[] | undefined;
  /** Named outputs beside the plain one. Nothing has to read them. */
  readonly sideOutputs?: readonly string[] | undefined;
  /** The tasks that have to end before this one starts. Only for a task without dependencies. */
  readonly after?: readonly string[] | undefined;
  /** How these tasks have to end. Default: completed. */
  readonly when?: RuleCondition | undefined;
  /** If this task is the end of a sub-workflow: the tasks of the sub-workflow. The first one receives its records. */
  readonly members?: readonly string[] | undefined;
  /** Its failure policy leaves no failed records for a named output. */
  readonly handlesFailures?: boolean;
  /**
   * `source`: no dependencies; `boundary`: its outputs belong to a new root; `inherits`: its outputs keep the lineage.
   */
  readonly bearing: 'source' | 'boundary' | 'inherits';
  /** Its output outlives the run, so dependents may still hold a record that this task has written for good. */
  readonly isDurable?: boolean;
  /** A boundary that keeps each parent open until its children have settled, so that `gather` can collect them. */
  readonly expands?: boolean;
}

/** A root: where lineages are born. */
export interface RootPlan {
  readonly id: string;
  /** The root of the parents; present for the children of an expanding task. */
  readonly parent?: string;
  /** The edges through which lineages leave the region, in a fixed order. */
  readonly exits: ExitPlan[];
}

export interface ExitPlan {
  /**
   * The task whose output or input is the exit. Without `dependency` it is the output, of a task that has no dependents
   * or is durable; with `dependency` it is the input from that dependency.
   */
  readonly task: string;
  readonly dependency?: number;
}

/** The name of an exit in messages and checkpoints; no two exits of a root share a label. */
export function exitLabel({ task, dependency }: ExitPlan): string {
  return dependency === undefined ? `'${task}'` : `input ${dependency + 1} of '${task}'`;
}

/** A dependency, as the graph resolves it. */
export interface InputPlan {
  /** As the author wrote it. */
  readonly label: string;
  readonly task: string;
  /** The named output that it reads; undefined for the plain output of the task. */
  readonly output: string | undefined;
}

/** One edge, from its beginning. */
export interface OutgoingEdge {
  /** The task that receives the records. */
  readonly to: string;
  /** The index of the edge among the dependencies of that task. */
  readonly dependency: number;
  /**
   * Whether the edge is optional: the join behind it emits a record even if this edge has no value for it. A value that
   * comes after that is not used.
   */
  readonly isOptional: boolean;
}

export interface NodePlan {
  readonly node: GraphNode;
  readonly join: JoinMode;
  /**
   * Whether the join passes its records on with their own lineages, as an aligned join does; a boundary join does not.
   */
  readonly keepsLineage: boolean;
  /** The dependencies, in their order. */
  readonly inputs: readonly InputPlan[];
  /** The root of the task's input, after the join; undefined for a source. */
  readonly inputRoot?: string;
  /** The root of the task's output. */
  readonly outputRoot: string;
  /** The task at the end of each edge: a task that reads two outputs is here twice. */
  readonly dependents: string[];
  readonly edges: OutgoingEdge[];
  /** The named outputs that some task reads. */
  readonly outputs: ReadonlySet<string>;
  /** The choices that a record of its output has passed, within its root. */
  readonly choices: Choices;
}

export interface GraphPlan {
  /** Dependencies come before their dependents. */
  readonly nodes: readonly NodePlan[];
  readonly roots: ReadonlyMap<string, RootPlan>;
  /** The phases, in the order in which they run. A graph without rules has one phase. */
  readonly phases: readonly PhasePlan[];
}

/** The root of a boundary join, separate from the root of its task. */
export const joinRootOf = (task: string): string => `${task} (join)`;

/** The root of the single record that starts a task with a rule. */
const startRootOf = (task: string): string => `${task} (start)`;

/** Validates the graph and divides it into regions. Throws a MillraceError that names the tasks. */
export function planGraph(nodes: readonly GraphNode[]): GraphPlan {
  const byName = indexByName(nodes);
  const inputs = new Map(
    nodes.map((node) => [node.name, node.dependencies.map((label) => resolve(node, label, byName))]),
  );
  const outputs = outputsRead(inputs);
  for (const node of nodes) checkNode(node);
  for (const node of nodes) checkRule(node, byName);
  for (const node of nodes) checkOutputs(node, outputs.get(node.name) ?? NO_OUTPUTS);
  const resolved = nodes.map((node) => withTaskNames(node, inputs.get(node.name) as readonly InputPlan[]));
  const ordered = orderByDependency(resolved, new Map(resolved.map((node) => [node.name, node])));
  const planner = new Planner(inputs, outputs);
  for (const node of ordered) planner.add(node);
  return planner.finish();
}

/** The node with the names of tasks in place of those of their outputs. */
function withTaskNames(node: GraphNode, inputs: readonly InputPlan[]): GraphNode {
  if (inputs.every(({ output }) => output === undefined)) return node;
  return { ...node, dependencies: inputs.map(({ task }) => task) };
}

function indexByName(nodes: readonly GraphNode[]): Map<string, GraphNode> {
  if (nodes.length === 0) {
    throw new MillraceError('MILLRACE_UNREACHABLE', 'The workflow has no tasks. Add at least a source and a task');
  }
  const byName = new Map<string, GraphNode>();
  for (const node of nodes) {
    if (byName.has(node.name)) {
      throw new MillraceError('MILLRACE_DUPLICATE_TASK', `Two tasks are named '${node.name}'. Give each its own name`);
    }
    byName.set(node.name, node);
  }
  return byName;
}

/** The task and the output that a dependency names. The name of a task has precedence over that of an output. */
function resolve(node: GraphNode, label: string, byName: ReadonlyMap<string, GraphNode>): InputPlan {
  const plain = byName.get(label);
  if (plain !== undefined) {
    const { outputs = [] } = plain;
    if (outputs.length === 0) return { label, task: label, output: undefined };
    throw new MillraceError(
      'MILLRACE_UNKNOWN_TASK',
      `Task '${node.name}' depends on '${label}', which emits each record by one of its named outputs. Depend on ${outputs.map((output) => `'${label}.${output}'`).join(' or ')}`,
    );
  }
  const dot = label.lastIndexOf('.');
  const from = dot === -1 ? undefined : byName.get(label.slice(0, dot));
  const output = label.slice(dot + 1);
  const isNamed = output === FAILED || from?.outputs?.includes(output) === true;
  if (from !== undefined && (isNamed || from.sideOutputs?.includes(output) === true)) {
    return { label, task: from.name, output };
  }
  const named = [...byName.values()].flatMap(({ name, outputs = [], sideOutputs = [] }) => [
    ...(outputs.length === 0 ? [name] : []),
    ...[...outputs, ...sideOutputs].map((one) => `${name}.${one}`),
  ]);
  throw new MillraceError(
    'MILLRACE_UNKNOWN_TASK',
    `Task '${node.name}' depends on '${label}', which does not exist.${suggest(
      label,
      named.filter((name) => name !== node.name),
    )}`,
  );
}

/** By task, the named outputs that others read. */
function outputsRead(inputs: ReadonlyMap<string, readonly InputPlan[]>): Map<string, Set<string>> {
  const read = new Map<string, Set<string>>();
  for (const own of inputs.values()) {
    for (const { task, output } of own) {
      if (output !== undefined) read.set(task, (read.get(task) ?? new Set()).add(output));
    }
  }
  return read;
}

function checkNode(node: GraphNode): void {
  const labels = node.dependencies;
  const isTwice = labels.length > 1 && new Set(labels).size < labels.length;
  const twice = isTwice ? labels.find((name, index) => labels.indexOf(name) !== index) : undefined;
  if (twice !== undefined) {
    throw new MillraceError('MILLRACE_JOIN', `Task '${node.name}' names its dependency '${twice}' twice. Name it once`);
  }
  if (node.bearing === 'source' && labels.length > 0) {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `Source '${node.name}' was given dependencies (${labels.join(', ')}); a source has none. Use another kind of task, or drop them`,
    );
  }
  if (node.bearing !== 'source' && labels.length === 0 && node.after === undefined) {
    throw new MillraceError(
      'MILLRACE_UNREACHABLE',
      `Task '${node.name}' depends on nothing and is not a source, so no record can reach it. Name its dependencies`,
    );
  }
  checkOptional(node, labels);
}

/** A rule names tasks, not their named outputs, because a named output has no end of its own. */
function checkRule({ name, dependencies, after = [] }: GraphNode, byName: ReadonlyMap<string, GraphNode>): void {
  const unknown = after.find((task) => !byName.has(task));
  if (unknown !== undefined) {
    throw new MillraceError(
      'MILLRACE_UNKNOWN_TASK',
      `Task '${name}' runs after '${unknown}', which does not exist.${suggest(unknown, [...byName.keys()])}`,
    );
  }
  if (after.length > 0 && dependencies.length > 0) {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `Task '${name}' runs after ${after.map((task) => `'${task}'`).join(', ')} and has dependencies too. Let the source of its records run after them instead`,
    );
  }
}

function checkOptional({ name, optional = [] }: GraphNode, labels: readonly string[]): void {
  const stranger = optional.find((label) => !labels.includes(label));
  if (stranger !== undefined) {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `Task '${name}' calls '${stranger}' optional, which is not one of its dependencies.${suggest(stranger, labels)}`,
    );
  }
  if (optional.length === 0 || labels.some((label) => !optional.includes(label))) return;
  throw new MillraceError(
    'MILLRACE_JOIN',
    `Task '${name}' calls all of its dependencies optional, so nothing decides which records it gets. Leave at least one of them out of \`optional\``,
  );
}

function checkOutputs(node: GraphNode, read: ReadonlySet<string>): void {
  const unread = node.outputs?.find((output) => !read.has(output));
  if (unread !== undefined) {
    throw new MillraceError(
      'MILLRACE_UNREACHABLE',
      `No task depends on '${node.name}.${unread}', so nothing reads the records of this branch. Add a task that depends on it, or end these records with \`skip(reason)\``,
    );
  }
  if (!read.has(FAILED)) return;
  if (node.bearing === 'boundary') {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `'${node.name}.${FAILED}' does not exist: a record that a boundary gives up has no slot among its outputs, and stays a dead letter. Move the work that may fail to a task before '${node.name}'`,
    );
  }
  if (node.handlesFailures === true) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected '${node.name}' to have no \`onFailure\`, because a task depends on '${node.name}.${FAILED}', got a policy that handles the failures itself. Remove one of the two`,
    );
  }
}

function orderByDependency(nodes: readonly GraphNode[], byName: ReadonlyMap<string, GraphNode>): GraphNode[] {
  const ordered: GraphNode[] = [];
  const done = new Set<string>();
  const onPath = new Set<string>();
  for (const start of nodes) {
    if (done.has(start.name)) continue;
    // The depth-first search is iterative: a chain of thousands of tasks must not exhaust the stack.
    const path: { node: GraphNode; at: number }[] = [{ node: start, at: 0 }];
    onPath.add(start.name);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { dependencies, after = [] } = top.node;
      const name = dependencies[top.at] ?? after[top.at - dependencies.length];
      top.at++;
      if (name === undefined) {
        path.pop();
        onPath.delete(top.node.name);
        done.add(top.node.name);
        ordered.push(top.node);
      } else if (onPath.has(name)) {
        const from = path.findIndex((step) => step.node.name === name);
        const circle = [...path.slice(from).map((step) => step.node.name), name].reverse();
        throw new MillraceError(
          'MILLRACE_CYCLE',
          `Tasks depend on each other in a circle: ${circle.join(' → ')}. Remove one of these dependencies`,
        );
      } else if (!done.has(name)) {
        path.push({ node: byName.get(name) as GraphNode, at: 0 });
        onPath.add(name);
      }
    }
  }
  return ordered;
}

/** By task, the named output by which a record must have left it. `PLAIN` stands for the plain output. */
export type Choices = ReadonlyMap<string, string>;
const PLAIN = '';
const NO_CHOICES: Choices = new Map();
const NO_OUTPUTS: ReadonlySet<string> = new Set();

/** Whether no record can have passed both: one of the tasks lets each record leave by one output only. */
export function areApart(one: Choices, other: Choices): boolean {
  return [...one].some(([task, output]) => (other.get(task) ?? output) !== output);
}

/** The choices of a record that leaves a task by this output. */
export function choicesBehind({ node, outputs, choices }: NodePlan, output: string | undefined): Choices {
  return outputs.size > 0 ? new Map([...choices, [node.name, output ?? PLAIN]]) : choices;
}

class Planner {
  private readonly inputs: ReadonlyMap<string, readonly InputPlan[]>;
  private readonly outputs: ReadonlyMap<string, ReadonlySet<string>>;
  private readonly plans = new Map<string, NodePlan>();
  private readonly roots = new Map<string, RootPlan>();

  constructor(inputs: Planner['inputs'], outputs: Planner['outputs']) {
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /** Adds a task whose dependencies were added. */
  add(node: GraphNode): void {
    const { plans, roots } = this;
    const inputs = this.inputs.get(node.name) as readonly InputPlan[];
    const dependencies = inputs.map(({ task }) => plans.get(task) as NodePlan);
    const join = joinModeOf(node);
    const isStarted = node.after !== undefined && node.bearing !== 'source';
    const keepsLineage =
      !isStarted && (join === 'aligned' || (join === 'merge' && this.areBranches(inputs, dependencies)));
    if (join === 'aligned') this.assertTogether(node, inputs);
    for (let dependency = 0; dependency < dependencies.length; dependency++) {
      const from = dependencies[dependency] as NodePlan;
      const isOptional = node.optional?.includes(inputs[dependency]?.label ?? '') === true;
      from.dependents.push(node.name);
      from.edges.push({ to: node.name, dependency, isOptional });
    }
    const inputRoot =
      node.bearing === 'source' ? undefined : this.planJoin(node, { join, keepsLineage, inputs, dependencies });
    let outputRoot = inputRoot;
    if (outputRoot === undefined || node.bearing !== 'inherits') {
      outputRoot = node.name;
      const isChildRoot = node.expands === true && inputRoot !== undefined;
      roots.set(node.name, { id: node.name, ...(isChildRoot ? { parent: inputRoot } : {}), exits: [] });
      if (inputRoot !== undefined) exitsOf(roots, inputRoot).push({ task: node.name, dependency: 0 });
    }
    // Without named outputs there is nothing to choose.
    const hasChoices = this.outputs.size > 0 && outputRoot === inputRoot && keepsLineage;
    plans.set(node.name, {
      node,
      join,
      keepsLineage,
      inputs,
      ...(inputRoot === undefined ? {} : { inputRoot }),
      outputRoot,
      dependents: [],
      edges: [],
      outputs: this.outputs.get(node.name) ?? NO_OUTPUTS,
      choices: hasChoices ? this.choicesOf(node, inputs, join) : NO_CHOICES,
    });
  }

  finish(): GraphPlan {
    const { plans, roots } = this;
    for (const plan of plans.values()) {
      const { name, bearing, isDurable } = plan.node;
      const isRead = plan.edges.some(({ to, dependency }) => plans.get(to)?.inputs[dependency]?.output !== FAILED);
      if (bearing === 'source' && !isRead) {
        throw new MillraceError(
          'MILLRACE_SOURCE_WITHOUT_OUTPUT',
          `Source '${name}' has no dependents, so nothing reads what it emits. Add a task that depends on it, or remove it`,
        );
      }
      if (plan.dependents.length === 0 || isDurable === true) exitsOf(roots, plan.outputRoot).push({ task: name });
    }
    const nodes = [...plans.values()];
    return { nodes, roots, phases: planPhases(nodes.map(({ node }) => node)) };
  }

  /**
   * Whether a record that arrives through one of these dependencies can never arrive through another one, because they
   * are branches of one choice.
   */
  private areBranches(inputs: readonly InputPlan[], dependencies: readonly NodePlan[]): boolean {
    if (dependencies.some(({ outputRoot }) => outputRoot !== dependencies[0]?.outputRoot)) return false;
    const choices = inputs.map((input) => this.choicesAt(input));
    return choices.every((one, index) => choices.slice(index + 1).every((other) => areApart(one, other)));
  }

  /** Refuses an aligned join that no record could pass. */
  private assertTogether(node: GraphNode, inputs: readonly InputPlan[]): void {
    if (this.outputs.size === 0) return;
    const optional = new Set(node.optional);
    const met = new Map<string, { readonly output: string; readonly label: string }>();
    for (const input of inputs) {
      if (optional.has(input.label)) continue;
      for (const [task, output] of this.choicesAt(input)) {
        const one = met.get(task);
        if (one === undefined) met.set(task, { output, label: input.label });
        else if (one.output !== output) throw neverTogether(node.name, one.label, input.label);
      }
    }
  }

  /** The choices of a record that crosses this edge. */
  private choicesAt({ task, output }: InputPlan): Choices {
    return choicesBehind(this.plans.get(task) as NodePlan, output);
  }

  private choicesOf(node: GraphNode, inputs: readonly InputPlan[], join: JoinMode): Choices {
    const required = inputs.filter(({ label }) => node.optional?.includes(label) !== true);
    const [first = NO_CHOICES, ...others] = required.map((input) => this.choicesAt(input));
    if (join !== 'merge') return others.length === 0 ? first : new Map([first, ...others].flatMap((each) => [...each]));
    return new Map([...first].filter(([task, output]) => others.every((each) => each.get(task) === output)));
  }

  private planJoin(
    node: GraphNode,
    {
      join,
      keepsLineage,
      inputs,
      dependencies,
    }: Pick<NodePlan, 'join' | 'keepsLineage' | 'inputs'> & { readonly dependencies: readonly NodePlan[] },
  ): string {
    const { roots } = this;
    if (node.after !== undefined) {
      const id = startRootOf(node.name);
      roots.set(id, { id, exits: [] });
      return id;
    }
    const first = dependencies[0] as NodePlan;
    if (keepsLineage) {
      const stranger = dependencies.find((dependency) => dependency.outputRoot !== first.outputRoot);
      if (stranger === undefined) return first.outputRoot;
      throw new MillraceError('MILLRACE_JOIN', explainRoots(node, first, stranger));
    }
    if (join === 'gather') {
      const parent = roots.get(first.outputRoot)?.parent;
      if (dependencies.length === 1 && parent !== undefined) {
        exitsOf(roots, first.outputRoot).push({ task: node.name, dependency: 0 });
        return parent;
      }
      throw new MillraceError(
        'MILLRACE_JOIN',
        `Task '${node.name}' gathers from ${inputs.map(({ label }) => `'${label}'`).join(', ')}, but gather collects the children of one expandTask per parent. Depend on exactly one task that descends from an expandTask`,
      );
    }
    if (join === 'keyed' && dependencies.length !== 2) {
      throw new MillraceError(
        'MILLRACE_JOIN',
        `Task '${node.name}' joins ${dependencies.length} dependencies by key; a keyed join accepts exactly two. Chain keyed joins for more`,
      );
    }
    dependencies.forEach((dependency, index) => {
      exitsOf(roots, dependency.outputRoot).push({ task: node.name, dependency: index });
    });
    const id = joinRootOf(node.name);
    roots.set(id, { id, exits: [] });
    return id;
  }
}

/** With one dependency there is nothing to combine: both `aligned` and `latest` pass the record on. */
function joinModeOf(node: GraphNode): JoinMode {
  if (node.join === 'latest' && node.dependencies.length === 1) return 'aligned';
  return node.join ?? 'aligned';
}

function neverTogether(task: string, one: string, other: string): MillraceError {
  return new MillraceError(
    'MILLRACE_JOIN',
    `Task '${task}' aligns '${one}' and '${other}', but no record passes both: they are branches of one choice. Name the join 'merge', which accepts the records of either branch`,
  );
}

function explainRoots(node: GraphNode, first: NodePlan, stranger: NodePlan): string {
  return (
    `Task '${node.name}' depends on '${first.node.name}' (root '${first.outputRoot}') and '${stranger.node.name}' ` +
    `(root '${stranger.outputRoot}'), whose records do not descend from one root, so they cannot be aligned. Name a join: ` +
    `'latest' pairs each record with the newest of the others, 'keyed' pairs records by a key, 'merge' passes on each record of ` +
    `both by itself, 'all' waits for both to end and hands over collections, 'gather' collects the children of an expandTask per parent`
  );
}

function exitsOf(roots: ReadonlyMap<string, RootPlan>, id: string): ExitPlan[] {
  return (roots.get(id) as RootPlan).exits;
}
