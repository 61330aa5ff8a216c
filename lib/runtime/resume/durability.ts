/**
 * Decides for each boundary of a graph whether its state is kept in the checkpoints, or computed again from its input.
 *
 * State that depends on answers from outside is kept, because they may be different the second time. State that can be
 * computed again is not kept: an aggregate over synchronous tasks and a file that can be read again costs nothing
 * during the run. The option `durable` overrides both.
 *
 * Guarantees: a boundary whose input cannot be repeated from its beginning is never computed again.
 */
import { joinRootOf, type GraphPlan, type NodePlan } from '../../model/graph.js';
import type { Durability } from '../../model/state.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import type { DurableOptions } from '../../tasks/task-options.js';

/** The durability of the boundaries of one node. */
export interface NodeDurability {
  /** The durability of the join in front of the task; undefined if the join is not a boundary. */
  readonly join?: Durability;
  /** The durability of the task; undefined if the task is not a boundary. */
  readonly task?: Durability;
  /** True if the state contains the input of the task, although its outputs are repeated. */
  readonly keepsInput?: boolean;
}

/** The facts in a checkpoint about the order of records. */
export interface KnownOrder {
  /** Boundaries whose outputs depended on more than their input. */
  readonly uncertain?: readonly string[] | undefined;
  /** Sources with several partitions, whose records arrive in another order in each incarnation. */
  readonly divided?: ReadonlySet<string> | undefined;
}

/** The facts about the records of one root, or about the outputs of one task. */
interface Facts {
  /** The same input has the same outputs, in the same order. */
  readonly isComputable: boolean;
  /** The records have the same names in each incarnation. */
  readonly isNumbered: boolean;
  /** The records have the same names in the same order, so a boundary may continue with its input in that order. */
  readonly isOrdered: boolean;
  /** All records can be received again, in the same order. */
  readonly isReplayable: boolean;
}

export class DurabilityPlan {
  private readonly nodes = new Map<string, NodeDurability>();
  /** By root. */
  private readonly roots = new Map<string, Durability>();

  /**
   * @param hasState whether the run has a store for state.
   * @param known the facts in the checkpoint of a resumed run.
   */
  constructor(
    plan: GraphPlan,
    declarations: readonly TaskDeclaration[],
    hasState: boolean,
    { uncertain = [], divided = new Set<string>() }: KnownOrder = {},
  ) {
    const declared = new Map(declarations.map((declaration) => [declaration.name, declaration]));
    const outputs = new Map<string, Facts>();
    const outputRoots = new Map<string, string>();
    for (const node of plan.nodes) {
      outputRoots.set(node.node.name, node.outputRoot);
      const { name, dependencies, bearing } = node.node;
      const { task, join } = declared.get(name) as TaskDeclaration;
      const from = dependencies.map((dependency) => outputs.get(dependency) as Facts);
      let input: Facts = {
        isComputable: from.every(({ isComputable }) => isComputable),
        isNumbered: from.every(({ isNumbered }) => isNumbered),
        isOrdered: from.every(({ isOrdered }) => isOrdered),
        isReplayable: from.every(({ isReplayable }) => isReplayable),
      };
      const found: { join?: Durability; task?: Durability; keepsInput?: boolean } = {};
      if (node.node.after !== undefined && node.inputRoot !== undefined) {
        // One record, with the same number in each incarnation. It contains counts, which may differ.
        this.roots.set(node.inputRoot, 'computed');
        input = { ...input, isComputable: false };
      } else if (isJoin(node)) {
        found.join = this.ofJoin(node, outputRoots, input, (join as DurableOptions | undefined)?.durable, hasState);
        if (node.join !== 'gather') this.roots.set(joinRootOf(name), found.join);
        input = after(found.join, input);
      }
      if (bearing === 'boundary') {
        const { durable } = task.options as DurableOptions;
        const isSure = !uncertain.includes(name);
        const isComputable = input.isComputable && task.isDeterministic && isSure;
        // The state cannot contain records that have other numbers in the next incarnation.
        // An expansion continues with its parents in their order.
        const mayKeep = hasState && task.keepsState && (task.expands ? input.isOrdered : input.isNumbered);
        if (mayKeep && (durable ?? !isComputable)) {
          found.task = isSure ? 'kept' : 'repeated';
          found.keepsInput = !isSure;
        } else found.task = input.isReplayable && (task.isRepeatable || isComputable) ? 'computed' : 'repeated';
        this.roots.set(node.outputRoot, found.task);
        input = after(found.task, input);
      }
      this.nodes.set(name, found);
      const isOrdered = !divided.has(name);
      const isReplayable = task.isRepeatable && isOrdered && task.isTransient !== true;
      outputs.set(
        name,
        bearing === 'source'
          ? { isComputable: isReplayable, isNumbered: true, isOrdered, isReplayable }
          : { ...input, isComputable: input.isComputable && (bearing === 'boundary' || task.isDeterministic) },
      );
    }
  }

  of(task: string): NodeDurability {
    return this.nodes.get(task) ?? {};
  }

  /** The durability of the boundary that creates the records of this root; undefined for a source. */
  ofRoot(root: string): Durability | undefined {
    return this.roots.get(root);
  }

  /** Whether the graph has a boundary whose state is kept. */
  get keepsAny(): boolean {
    return [...this.nodes.values()].some(({ join, task }) => join === 'kept' || task === 'kept');
  }

  private ofJoin(
    { join, node }: NodePlan,
    outputRoots: ReadonlyMap<string, string>,
    input: Facts,
    durable: boolean | undefined,
    hasState: boolean,
  ): Durability {
    if (join === 'gather') {
      // The children of a parent and their collection belong together.
      const children = outputRoots.get(node.dependencies[0] as string) ?? '';
      return this.roots.get(children) === 'kept' ? 'kept' : input.isReplayable ? 'computed' : 'repeated';
    }
    const isComputable = join === 'all' && input.isComputable;
    if (hasState && input.isNumbered && (durable ?? !isComputable)) return 'kept';
    return join === 'all' && input.isReplayable ? 'computed' : 'repeated';
  }
}

/** Whether the node has a join that is a boundary. */
export function isJoin({ node, keepsLineage }: NodePlan): boolean {
  return node.bearing !== 'source' && !keepsLineage;
}

function after(durability: Durability, input: Facts): Facts {
  return {
    isComputable: durability === 'computed' && input.isComputable,
    isNumbered: durability !== 'repeated',
    isOrdered: durability !== 'repeated',
    isReplayable: durability !== 'repeated',
  };
}
