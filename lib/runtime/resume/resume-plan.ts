/**
 * The work that a resumed run may omit and the work that it must repeat. This depends only on the graph.
 *
 * A lineage that has passed an exit at a leaf, or at a durable task, is permanently done there. A lineage that entered a
 * boundary is not: the state of the boundary (a sum, a pending pair) died with the process, so the record must enter again.
 * A root is *repeatable* if the same input gives its records the same numbers again. Then the tasks behind it continue
 * where they were. Behind a root that is not repeatable (pairs that met by chance, an operator of a user), all work is
 * repeated.
 */
import { exitLabel, joinRootOf, type ExitPlan, type GraphPlan, type NodePlan } from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';

export class ResumePlan {
  private readonly nodes: ReadonlyMap<string, NodePlan>;
  private readonly plan: GraphPlan;
  private readonly repeatable = new Set<string>();
  /** Per task, the exits that its outputs can reach within their region. */
  private readonly exitsAfter = new Map<string, readonly ExitPlan[]>();

  /** @param divided sources with several partitions, whose records reach a boundary in another order in each incarnation. */
  constructor(
    plan: GraphPlan,
    declarations: readonly TaskDeclaration[],
    divided: ReadonlySet<string> = new Set<string>(),
  ) {
    this.plan = plan;
    const isOrderedAlike = (root: string): boolean => this.repeatable.has(root) && !divided.has(root);
    this.nodes = new Map(plan.nodes.map((node) => [node.node.name, node]));
    const tasks = new Map(declarations.map(({ name, task }) => [name, task]));
    for (const node of plan.nodes) {
      const { name, dependencies, bearing } = node.node;
      const from = dependencies.map((dependency) => this.nodeOf(dependency).outputRoot);
      const isFromRepeatable = from.every(isOrderedAlike);
      if (node.join === 'all' && isFromRepeatable) this.repeatable.add(joinRootOf(name));
      const isBornAlike = bearing !== 'inherits' && tasks.get(name)?.isRepeatable === true;
      if (isBornAlike && (node.inputRoot === undefined || isOrderedAlike(node.inputRoot))) {
        this.repeatable.add(node.outputRoot);
      }
    }
    for (const node of [...plan.nodes].reverse()) this.exitsAfter.set(node.node.name, this.findExits(node));
  }

  /** The reason why a run of this graph cannot be resumed; undefined if it can. */
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

  /** Whether the task repeats all its work. Then its settled records, its letters and its written output are discarded. */
  startsAnew(task: string): boolean {
    const { node, inputRoot, outputRoot } = this.nodeOf(task);
    if (node.bearing === 'source') return false;
    return [inputRoot, outputRoot].some((root) => root !== undefined && !this.isKept(root));
  }

  /** Whether settled lineages of the root stay done. This also holds for a source that cannot be read again. */
  isKept(root: string): boolean {
    return this.repeatable.has(root) || this.isSource(root);
  }

  isSource(root: string): boolean {
    return this.nodes.get(root)?.node.bearing === 'source';
  }

  /** Whether every lineage of the root is born again, because a boundary must receive it again. */
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

  /** Whether a boundary receives the outputs of the task, so that a resumed run needs them again. */
  feedsBoundary(task: string): boolean {
    return (this.exitsAfter.get(task) ?? []).some(({ dependency }) => dependency !== undefined);
  }

  /**
   * The labels of the exits that a record of `root` passed as GONE because the task gave it up: the exits behind the task,
   * or, if the task is a boundary, the exit by which the record entered it.
   */
  labelsOfLetter(task: string, root: string): readonly string[] {
    if (this.nodeOf(task).outputRoot === root) return this.labelsAfter(task);
    return this.exitsOf(root)
      .filter((exit) => exit.task === task)
      .map(exitLabel);
  }

  /** Whether a record that the task gave up can be retried after the run: no boundary has computed a result without it. */
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
      const isEntry = dependent.node.bearing === 'boundary' || isJoined || dependent.join === 'gather';
      const exits = isEntry
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
