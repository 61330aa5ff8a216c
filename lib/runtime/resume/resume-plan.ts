/**
 * What a resumed run may leave out and what it must do again, read from the graph alone.
 *
 * A lineage that has passed an exit at a leaf, or at a durable task, is done there for good. One that went into a
 * boundary is not: what the boundary made of it (a sum, a pending pair) died with the process, so it goes in again. A
 * root is *repeatable* where the same input gives it the same numbers again; then what is behind it goes on where it
 * was. Behind one that is not (pairs that met by chance, a user's operator), everything is done anew.
 */
import { exitLabel, joinRootOf, type ExitPlan, type GraphPlan, type NodePlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';

export class ResumePlan {
  private readonly nodes: ReadonlyMap<string, NodePlan>;
  private readonly plan: GraphPlan;
  private readonly repeatable = new Set<string>();
  /** By task, the exits that its outputs can still reach within their region. */
  private readonly exitsAfter = new Map<string, readonly ExitPlan[]>();

  constructor(plan: GraphPlan, declarations: readonly TaskDeclaration[]) {
    this.plan = plan;
    this.nodes = new Map(plan.nodes.map((node) => [node.node.name, node]));
    const tasks = new Map(declarations.map(({ name, task }) => [name, task]));
    for (const node of plan.nodes) {
      const { name, dependencies, bearing } = node.node;
      const from = dependencies.map((dependency) => this.nodeOf(dependency).outputRoot);
      const isFromRepeatable = from.every((root) => this.repeatable.has(root));
      if (node.join === 'all' && isFromRepeatable) this.repeatable.add(joinRootOf(name));
      const isBornAlike = bearing !== 'inherits' && tasks.get(name)?.isRepeatable === true;
      if (isBornAlike && (node.inputRoot === undefined || this.repeatable.has(node.inputRoot))) {
        this.repeatable.add(node.outputRoot);
      }
    }
    for (const node of [...plan.nodes].reverse()) this.exitsAfter.set(node.node.name, this.findExits(node));
  }

  /** Why a run of this graph cannot be resumed; undefined where it can. */
  get obstacle(): string | undefined {
    for (const { node, outputRoot } of this.plan.nodes) {
      if (node.bearing !== 'source' || this.repeatable.has(outputRoot)) continue;
      const exit = this.exitsOf(outputRoot).find(({ dependency }) => dependency !== undefined);
      if (exit === undefined) continue;
      return `source '${node.name}' cannot be read again, and '${exit.task}' would have to take in again what it gave`;
    }
    return undefined;
  }

  isRepeatable(root: string): boolean {
    return this.repeatable.has(root);
  }

  /** Whether everything the task does is done anew: its records, its letters and what it wrote count for nothing. */
  startsAnew(task: string): boolean {
    const { node, inputRoot, outputRoot } = this.nodeOf(task);
    if (node.bearing === 'source') return false;
    return [inputRoot, outputRoot].some((root) => root !== undefined && !this.isKept(root));
  }

  /** Whether the lineages of the root that have settled are done; those of a source that cannot be read again are. */
  isKept(root: string): boolean {
    return this.repeatable.has(root) || this.isSource(root);
  }

  isSource(root: string): boolean {
    return this.nodes.get(root)?.node.bearing === 'source';
  }

  /** Whether every lineage of the root is born again because a boundary must take it in again. */
  isReplayed(root: string): boolean {
    return this.exitsOf(root).some(({ dependency }) => dependency !== undefined);
  }

  /** The labels of all exits of a root. */
  labelsOf(root: string): string[] {
    return this.exitsOf(root).map(exitLabel);
  }

  /** The labels of the exits that the outputs of the task can reach. */
  labelsAfter(task: string): readonly string[] {
    return (this.exitsAfter.get(task) ?? []).map(exitLabel);
  }

  /** Whether what the task emits is taken in by a boundary, so that it is needed again whenever the run is resumed. */
  feedsBoundary(task: string): boolean {
    return (this.exitsAfter.get(task) ?? []).some(({ dependency }) => dependency !== undefined);
  }

  /**
   * The labels of the exits that a record of `root` passed as a gone mark because the task gave it up: those behind the
   * task, or the one by which the task, a boundary, took it in.
   */
  labelsOfLetter(task: string, root: string): readonly string[] {
    if (this.nodeOf(task).outputRoot === root) return this.labelsAfter(task);
    return this.exitsOf(root)
      .filter((exit) => exit.task === task)
      .map(exitLabel);
  }

  /** Whether a record that the task gave up can be tried again after all else is done: no boundary has left it out. */
  canRedo(task: string, root: string): boolean {
    return this.isKept(root) && this.nodeOf(task).outputRoot === root && !this.feedsBoundary(task);
  }

  private findExits({ node, dependents }: NodePlan): ExitPlan[] {
    const found = new Map<string, ExitPlan>();
    const own: ExitPlan = { task: node.name };
    if (dependents.length === 0 || node.isDurable === true) found.set(exitLabel(own), own);
    for (const name of dependents) {
      const dependent = this.nodeOf(name);
      const isJoined = !['aligned', 'gather'].includes(dependent.join);
      const takesIn = dependent.node.bearing === 'boundary' || isJoined || dependent.join === 'gather';
      const exits = takesIn
        ? [{ task: name, dependency: isJoined ? dependent.node.dependencies.indexOf(node.name) : 0 }]
        : (this.exitsAfter.get(name) ?? []);
      for (const exit of exits) found.set(exitLabel(exit), exit);
    }
    return [...found.values()];
  }

  private exitsOf(root: string): readonly ExitPlan[] {
    return this.plan.roots.get(root)?.exits ?? [];
  }

  private nodeOf(name: string): NodePlan {
    return this.nodes.get(name) as NodePlan;
  }
}
