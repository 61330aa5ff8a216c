/**
 * The graph of a workflow as data: validated, sorted, and divided into regions.
 *
 * A *region* is the part of the graph whose records carry lineages of one root.
 *
 * Guarantees: a graph that `planGraph` accepts can be wired without another check; an error names the tasks, and the nearest
 * existing name.
 */
import { MillraceError } from './errors.js';
import { suggest } from '../text/nearest.js';

export type JoinMode = 'aligned' | 'latest' | 'keyed' | 'all' | 'gather';

/** One task as its author declared it. */
export interface GraphNode {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** The mode that the author declared, if any. */
  readonly join?: JoinMode | undefined;
  /** `source`: no dependencies; `boundary`: its outputs belong to a new root; `inherits`: its outputs keep the lineage. */
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
   * The task whose output or input is the exit. Without `dependency` it is the output, of a task that has no dependents or
   * is durable; with `dependency` it is the input from that dependency.
   */
  readonly task: string;
  readonly dependency?: number;
}

/** The name of an exit in messages and checkpoints; no two exits of a root share a label. */
export function exitLabel({ task, dependency }: ExitPlan): string {
  return dependency === undefined ? `'${task}'` : `input ${dependency + 1} of '${task}'`;
}

export interface NodePlan {
  readonly node: GraphNode;
  readonly join: JoinMode;
  /** The root of the task's input, after the join; undefined for a source. */
  readonly inputRoot?: string;
  /** The root of the task's output. */
  readonly outputRoot: string;
  readonly dependents: string[];
}

export interface GraphPlan {
  /** Dependencies come before their dependents. */
  readonly nodes: readonly NodePlan[];
  readonly roots: ReadonlyMap<string, RootPlan>;
}

/** The root of a boundary join, separate from the root of its task. */
export const joinRootOf = (task: string): string => `${task} (join)`;

/** Validates the graph and divides it into regions. Throws a MillraceError that names the tasks. */
export function planGraph(nodes: readonly GraphNode[]): GraphPlan {
  const byName = indexByName(nodes);
  for (const node of nodes) checkNode(node, byName);
  const ordered = orderByDependency(nodes, byName);
  const plans = new Map<string, NodePlan>();
  const roots = new Map<string, RootPlan>();
  for (const node of ordered) plans.set(node.name, planNode(node, plans, roots));
  for (const plan of plans.values()) {
    if (plan.dependents.length > 0) {
      if (plan.node.isDurable === true) exitsOf(roots, plan.outputRoot).push({ task: plan.node.name });
      continue;
    }
    if (plan.node.bearing === 'source') {
      throw new MillraceError(
        'MILLRACE_SOURCE_WITHOUT_OUTPUT',
        `Source '${plan.node.name}' has no dependents, so nothing reads what it emits. Add a task that depends on it, or remove it`,
      );
    }
    exitsOf(roots, plan.outputRoot).push({ task: plan.node.name });
  }
  return { nodes: [...plans.values()], roots };
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

function checkNode(node: GraphNode, byName: ReadonlyMap<string, GraphNode>): void {
  for (const dependency of node.dependencies) {
    if (byName.has(dependency)) continue;
    const others = [...byName.keys()].filter((name) => name !== node.name);
    throw new MillraceError(
      'MILLRACE_UNKNOWN_TASK',
      `Task '${node.name}' depends on '${dependency}', which does not exist.${suggest(dependency, others)}`,
    );
  }
  const isTwice = new Set(node.dependencies).size < node.dependencies.length;
  const twice = isTwice
    ? node.dependencies.find((name, index) => node.dependencies.indexOf(name) !== index)
    : undefined;
  if (twice !== undefined) {
    throw new MillraceError('MILLRACE_JOIN', `Task '${node.name}' names its dependency '${twice}' twice. Name it once`);
  }
  if (node.bearing === 'source' && node.dependencies.length > 0) {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `Source '${node.name}' was given dependencies (${node.dependencies.join(', ')}); a source has none. Use another kind of task, or drop them`,
    );
  }
  if (node.bearing !== 'source' && node.dependencies.length === 0) {
    throw new MillraceError(
      'MILLRACE_UNREACHABLE',
      `Task '${node.name}' depends on nothing and is not a source, so no record can reach it. Name its dependencies`,
    );
  }
}

function orderByDependency(nodes: readonly GraphNode[], byName: ReadonlyMap<string, GraphNode>): GraphNode[] {
  const ordered: GraphNode[] = [];
  const done = new Set<string>();
  for (const start of nodes) {
    // The depth-first search is iterative: a chain of thousands of tasks must not exhaust the stack.
    const path: { node: GraphNode; at: number }[] = done.has(start.name) ? [] : [{ node: start, at: 0 }];
    const onPath = new Set(path.map((step) => step.node.name));
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const name = top.node.dependencies[top.at++];
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

function planNode(node: GraphNode, plans: Map<string, NodePlan>, roots: Map<string, RootPlan>): NodePlan {
  const dependencies = node.dependencies.map((name) => plans.get(name) as NodePlan);
  for (const dependency of dependencies) dependency.dependents.push(node.name);
  const join = joinModeOf(node);
  const inputRoot = node.bearing === 'source' ? undefined : planJoin(node, join, dependencies, roots);
  let outputRoot = inputRoot;
  if (outputRoot === undefined || node.bearing !== 'inherits') {
    outputRoot = node.name;
    const isChildRoot = node.expands === true && inputRoot !== undefined;
    roots.set(node.name, { id: node.name, ...(isChildRoot ? { parent: inputRoot } : {}), exits: [] });
    if (inputRoot !== undefined) exitsOf(roots, inputRoot).push({ task: node.name, dependency: 0 });
  }
  return { node, join, ...(inputRoot === undefined ? {} : { inputRoot }), outputRoot, dependents: [] };
}

/** With one dependency there is nothing to combine: both `aligned` and `latest` pass the record on. */
function joinModeOf(node: GraphNode): JoinMode {
  if (node.join === 'latest' && node.dependencies.length === 1) return 'aligned';
  return node.join ?? 'aligned';
}

function planJoin(
  node: GraphNode,
  join: JoinMode,
  dependencies: readonly NodePlan[],
  roots: Map<string, RootPlan>,
): string {
  const first = dependencies[0] as NodePlan;
  if (join === 'aligned') {
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
      `Task '${node.name}' gathers from ${node.dependencies.map((name) => `'${name}'`).join(', ')}, but gather collects the children of one expandTask per parent. Depend on exactly one task that descends from an expandTask`,
    );
  }
  if (join === 'keyed' && dependencies.length !== 2) {
    throw new MillraceError(
      'MILLRACE_JOIN',
      `Task '${node.name}' joins ${dependencies.length} dependencies by key; a keyed join takes exactly two. Chain keyed joins for more`,
    );
  }
  dependencies.forEach((dependency, index) => {
    exitsOf(roots, dependency.outputRoot).push({ task: node.name, dependency: index });
  });
  const id = joinRootOf(node.name);
  roots.set(id, { id, exits: [] });
  return id;
}

function explainRoots(node: GraphNode, first: NodePlan, stranger: NodePlan): string {
  return (
    `Task '${node.name}' depends on '${first.node.name}' (root '${first.outputRoot}') and '${stranger.node.name}' ` +
    `(root '${stranger.outputRoot}'), whose records do not descend from one root, so they cannot be aligned. Name a join: ` +
    `'latest' pairs each record with the newest of the others, 'keyed' pairs records by a key, ` +
    `'all' waits for both to end and hands over collections, 'gather' collects the children of an expandTask per parent`
  );
}

function exitsOf(roots: ReadonlyMap<string, RootPlan>, id: string): ExitPlan[] {
  return (roots.get(id) as RootPlan).exits;
}
