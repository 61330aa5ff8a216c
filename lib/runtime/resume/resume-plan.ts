/**
 * The work that a resumed run may omit and the work that it must repeat. This depends only on the graph.
 *
 * A lineage that has passed an exit at a leaf, at a durable task, or into a boundary whose state is kept, is
 * permanently done there. A lineage that entered another boundary is not: the state of the boundary (a sum, a pending
 * pair) died with the process, so the record must enter again. A root is *repeatable* if its records have the same
 * numbers in each incarnation. Then the tasks behind it continue where they were. Behind a root that is not repeatable
 * (an operator of a user), all work is repeated.
 */
import type { Checkpoint } from '../../model/checkpoint.js';
import {
  areApart,
  choicesBehind,
  exitLabel,
  type ExitPlan,
  type GraphPlan,
  type NodePlan,
  type OutgoingEdge,
} from '../../model/graph.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { Task } from '../../tasks/task.js';
import { DurabilityPlan, type KnownOrder } from './durability.js';

/** The facts in the checkpoint about the order of records. */
export function knownOrder({ roots, uncertain }: Checkpoint): KnownOrder {
  return { uncertain, divided: new Set(Object.keys(roots).filter((root) => roots[root]?.partitions !== undefined)) };
}

export class ResumePlan {
  private readonly nodes: ReadonlyMap<string, NodePlan>;
  /** The boundaries that keep their state. */
  readonly durability: DurabilityPlan;
  private readonly plan: GraphPlan;
  private readonly hasState: boolean;
  private readonly tasks: ReadonlyMap<string, Task<never, unknown>>;
  private readonly repeatable = new Set<string>();
  /** Per task, the exits that its outputs can reach within their region. Made when it is first needed. */
  private foundExits: ReadonlyMap<string, readonly ExitPlan[]> | undefined;
  /** Per task, whether its outputs are the same in each incarnation, given the records of its root. */
  private foundOptional: ReadonlySet<string> | undefined;
  private foundStable: ReadonlyMap<string, boolean> | undefined;
  private foundCollected: ReadonlySet<string> | undefined;

  /**
   * @param hasState whether the run has a store for the state of boundaries.
   * @param known the facts in the checkpoint of a resumed run.
   */
  constructor(plan: GraphPlan, declarations: readonly TaskDeclaration[], hasState = true, known: KnownOrder = {}) {
    this.plan = plan;
    this.hasState = hasState;
    this.durability = new DurabilityPlan(plan, declarations, hasState, known);
    this.nodes = new Map(plan.nodes.map((node) => [node.node.name, node]));
    this.tasks = new Map(declarations.map(({ name, task }) => [name, task]));
    for (const root of plan.roots.keys()) {
      const durability = this.durability.ofRoot(root);
      const isNumbered =
        durability === undefined ? this.tasks.get(root)?.isRepeatable === true : durability !== 'repeated';
      if (isNumbered) this.repeatable.add(root);
    }
  }

  /** The reason why a run of this graph cannot be resumed; undefined if it can. */
  get obstacle(): string | undefined {
    for (const root of this.plan.roots.keys()) {
      const isKeptState = this.durability.ofRoot(root) === 'kept';
      if (this.isSource(root) ? this.isReadAgain(root) : !isKeptState) continue;
      const exit = this.exitsOf(root).find((candidate) => this.isReplaying(root, candidate));
      if (exit === undefined) continue;
      return isKeptState
        ? `'${exit.task}' would need all records of '${root}' again, which keeps only those in flight. Remove \`durable: false\` from '${exit.task}', or set it for '${root}' too`
        : `source '${root}' cannot be read again, and '${exit.task}' would need its records again`;
    }
    return this.lostChoice();
  }

  /** Describes a task that may choose another output in the next incarnation, because its choice is not kept. */
  private lostChoice(): string | undefined {
    if (this.hasState) return undefined;
    const lost = this.plan.nodes.find(({ node, outputs }) => outputs.size > 0 && this.isFork(node.name));
    if (lost === undefined) return undefined;
    const named = [...lost.outputs].map((output) => `'${lost.node.name}.${output}'`);
    return `a record may leave by ${named.join(' or ')} in one incarnation and by another output in the next, because the checkpoint store keeps no state`;
  }

  /**
   * Whether the task is in front of a fork and its outputs may differ in another incarnation: its outputs in flight
   * must be kept, so that the branches behind it agree about each record.
   */
  isFork(task: string): boolean {
    const { node, dependents } = this.nodeOf(task);
    const branches = dependents.length + (node.isDurable === true ? 1 : 0);
    if (node.bearing !== 'inherits' || branches < 2 || this.labelsAfter(task).length < 2) return false;
    return !this.isStable(task) && this.isKept(this.nodeOf(task).outputRoot);
  }

  /**
   * Whether a task behind this one, or the task itself, needs the record, given the exits that it has passed.
   * @param isKeptAt whether the output of a task for the record is kept, so that nothing in front of the task is
   *   needed.
   */
  isNeeded(task: string, hasPassed: (label: string) => boolean, isKeptAt: (task: string) => boolean): boolean {
    // A set that grows during the loop: each task is visited once, also if several paths lead to it.
    const reached = new Set([task]);
    for (const name of reached) {
      if (isKeptAt(name)) continue;
      const { node, outputRoot, edges } = this.nodeOf(name);
      if ((edges.length === 0 || node.isDurable === true) && !hasPassed(exitLabel({ task: name }))) return true;
      for (const edge of edges) {
        const exit = this.exitAt(edge);
        if (exit === undefined) reached.add(edge.to);
        else if (!this.isKeptEntry(outputRoot, exit) || !hasPassed(exitLabel(exit))) return true;
      }
    }
    return false;
  }

  /** Whether the outputs of the task are the same in each incarnation, given the records of its root. */
  private isStable(task: string): boolean {
    this.foundStable ??= this.findStable();
    return this.foundStable.get(task) === true;
  }

  /** Dependencies first. A recursion would exhaust the stack in a deep graph, and take for ever in a wide one. */
  private findStable(): Map<string, boolean> {
    const found = new Map<string, boolean>();
    for (const { node, join } of this.plan.nodes) {
      const isDeterministic = this.tasks.get(node.name)?.isDeterministic === true;
      const areInputsStable = join === 'gather' || node.dependencies.every((dependency) => found.get(dependency));
      found.set(node.name, node.bearing !== 'inherits' || (isDeterministic && areInputsStable));
    }
    return found;
  }

  isRepeatable(root: string): boolean {
    return this.repeatable.has(root);
  }

  /**
   * Whether the task repeats all its work. Then its settled records, its letters and its written output are discarded.
   */
  startsAnew(task: string): boolean {
    const { node, inputRoot, outputRoot } = this.nodeOf(task);
    if (node.bearing === 'source') return false;
    return [inputRoot, outputRoot].some((root) => root !== undefined && !this.isKept(root));
  }

  /** Whether settled lineages of the root stay done. This also holds for a source that cannot be read again. */
  isKept(root: string): boolean {
    return this.repeatable.has(root) || this.isSource(root);
  }

  /** Whether a source can be read again from its beginning. */
  private isReadAgain(root: string): boolean {
    return this.repeatable.has(root) && this.tasks.get(root)?.isTransient !== true;
  }

  isSource(root: string): boolean {
    return this.nodes.get(root)?.node.bearing === 'source';
  }

  /** Whether every lineage of the root is born again, because a boundary must receive it again. */
  isReplayed(root: string): boolean {
    return this.exitsOf(root).some((exit) => this.isReplaying(root, exit));
  }

  /** Whether a boundary whose state is kept receives the records of `root` by this exit. */
  isKeptEntry(root: string, { task, dependency }: ExitPlan): boolean {
    if (dependency === undefined) return false;
    const { inputRoot, keepsLineage } = this.nodeOf(task);
    const { join: ofJoin, task: ofTask, keepsInput = false } = this.durability.of(task);
    const entersJoin = !keepsLineage && root !== inputRoot;
    return entersJoin ? ofJoin === 'kept' : ofTask === 'kept' || keepsInput;
  }

  /** The tasks that start and end together with this one. */
  partOf(task: string): readonly string[] {
    const parts = this.plan.phases.flatMap(({ parts }) => parts);
    return parts.find(({ tasks }) => tasks.includes(task))?.tasks ?? [task];
  }

  /** The roots of the records that the task receives and emits. */
  rootsOf(task: string): readonly string[] {
    const { inputRoot = [], outputRoot } = this.nodeOf(task);
    return [outputRoot].concat(inputRoot);
  }

  /** The labels of all exits of a root. */
  labelsOf(root: string): string[] {
    return this.exitsOf(root).map(exitLabel);
  }

  /** The labels of the exits that the outputs of the task can reach. */
  labelsAfter(task: string): readonly string[] {
    return this.exitsAfter(task).map(exitLabel);
  }

  /** Whether a boundary receives the outputs of the task and keeps no state, so that a resumed run needs them again. */
  feedsBoundary(task: string): boolean {
    const { outputRoot } = this.nodeOf(task);
    return this.exitsAfter(task).some((exit) => this.isReplaying(outputRoot, exit));
  }

  /**
   * The labels of the exits that a record of `root` passed as GONE because the task gave it up: the exits behind the
   * task, or, if the task is a boundary, the exit by which the record entered it.
   */
  labelsOfLetter(task: string, root: string): readonly string[] {
    if (this.nodeOf(task).outputRoot === root) return this.labelsAfter(task);
    return this.exitsOf(root)
      .filter((exit) => exit.task === task)
      .map(exitLabel);
  }

  /**
   * Whether a record that the task gave up can be retried after the run: no boundary has computed a result without it,
   * and no merge behind the task can have emitted it.
   */
  canRedo(task: string, root: string): boolean {
    const entersNone = this.exitsAfter(task).every(({ dependency }) => dependency === undefined);
    if (!entersNone || this.isOptional(task) || !this.isKept(root) || this.nodeOf(task).outputRoot !== root)
      return false;
    const behind = this.behind(task);
    return [...behind].every((name) => !this.needsCollection(name)) && !this.mayBeMerged(task, behind);
  }

  /**
   * Whether a record that the task gave up may have reached a merge behind the task by another way. The merge has then
   * emitted the record, and would emit it a second time if the task processed it again.
   */
  private mayBeMerged(task: string, behind: ReadonlySet<string>): boolean {
    const { choices } = this.nodeOf(task);
    return [...behind].some((name) => {
      const { join, keepsLineage, inputs } = this.nodeOf(name);
      if (name === task || join !== 'merge' || !keepsLineage) return false;
      return inputs.some(
        (input) => !behind.has(input.task) && !areApart(choices, choicesBehind(this.nodeOf(input.task), input.output)),
      );
    });
  }

  /** The task and the tasks that its outputs reach within their region. */
  behind(task: string): ReadonlySet<string> {
    const found = new Set([task]);
    for (const name of found) {
      for (const dependent of this.nodeOf(name).dependents) {
        const { keepsLineage, node } = this.nodeOf(dependent);
        if (keepsLineage && node.bearing === 'inherits') found.add(dependent);
      }
    }
    return found;
  }

  /** Whether a join behind the task has emitted the record without the output of the task. */
  private isOptional(task: string): boolean {
    this.foundOptional ??= this.findOptional();
    return this.foundOptional.has(task);
  }

  /** Dependents first, for the reason of `findStable`. */
  private findOptional(): Set<string> {
    const found = new Set<string>();
    for (const { node, edges } of [...this.plan.nodes].reverse()) {
      const isFound = edges.some(({ to, isOptional }) => isOptional || (this.nodeOf(to).keepsLineage && found.has(to)));
      if (isFound) found.add(node.name);
    }
    return found;
  }

  /** Whether the input of the task is made of collections that are kept only until their parents have settled. */
  private needsCollection(task: string): boolean {
    this.foundCollected ??= this.findCollected();
    return this.foundCollected.has(task);
  }

  /** Dependencies first, as in `findStable`. */
  private findCollected(): Set<string> {
    const found = new Set<string>();
    for (const { node, join } of this.plan.nodes) {
      const isCollected =
        join === 'gather'
          ? this.durability.of(node.name).join === 'kept'
          : node.bearing === 'inherits' && node.dependencies.some((dependency) => found.has(dependency));
      if (isCollected) found.add(node.name);
    }
    return found;
  }

  /** Whether a boundary that keeps no state receives the records of `root` by this exit. */
  private isReplaying(root: string, exit: ExitPlan): boolean {
    return exit.dependency !== undefined && !this.isKeptEntry(root, exit);
  }

  /** The exits that the outputs of the task can reach within their region. */
  private exitsAfter(task: string): readonly ExitPlan[] {
    this.foundExits ??= this.findExits();
    return this.foundExits.get(task) ?? [];
  }

  /** Dependents first. Tasks with the same exits share one list, so that a large graph needs few of them. */
  private findExits(): Map<string, readonly ExitPlan[]> {
    const found = new Map<string, readonly ExitPlan[]>();
    /** Each exit once, so that exits are equal if they are the same object. */
    const entries = new Map<string, readonly ExitPlan[]>();
    const entryOf = (exit: ExitPlan): readonly ExitPlan[] => {
      const label = exitLabel(exit);
      const entry = entries.get(label) ?? [exit];
      entries.set(label, entry);
      return entry;
    };
    for (const { node, edges } of [...this.plan.nodes].reverse()) {
      const lists = edges.map((edge) => {
        const entry = this.exitAt(edge);
        return entry === undefined ? (found.get(edge.to) ?? []) : entryOf(entry);
      });
      if (edges.length === 0 || node.isDurable === true) lists.unshift([{ task: node.name }]);
      const different = new Set(lists);
      const [only = []] = different;
      found.set(node.name, different.size <= 1 ? only : [...new Set([...different].flat())]);
    }
    return found;
  }

  /** The exit at the end of the edge; undefined if the records keep their lineage there. */
  private exitAt({ to, dependency }: OutgoingEdge): ExitPlan | undefined {
    const { node, keepsLineage } = this.nodeOf(to);
    if (!keepsLineage) return { task: to, dependency };
    return node.bearing === 'boundary' ? { task: to, dependency: 0 } : undefined;
  }

  private exitsOf(root: string): readonly ExitPlan[] {
    return this.plan.roots.get(root)?.exits ?? [];
  }

  private nodeOf(name: string): NodePlan {
    return this.nodes.get(name) as NodePlan;
  }
}
