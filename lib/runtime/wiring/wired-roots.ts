/**
 * The ledgers of a run, one per root, with its exits, the families of the children, and the ancestors of each root.
 *
 * Guarantees: a resumed run continues the numbers where its past ended.
 */
import { Family } from '../../ledger/family.js';
import { exitLabel, type ExitPlan, type GraphPlan, type NodePlan } from '../../model/graph.js';
import { RootLedger } from '../../ledger/ledger.js';
import { KeptOutputs } from '../../stream/kept-outputs.js';
import type { ResumePlan } from '../resume/resume-plan.js';
import type { RunPast } from '../resume/run-past.js';
import type { StateKeeper } from '../resume/state-keeper.js';

/** The durable state of a run, and the plan of the boundaries that have a part of it. */
export interface KeptState {
  readonly plan: ResumePlan;
  readonly keeper: StateKeeper;
}

/** An exit of a root, with its number in the ledger. */
export interface WiredExit {
  readonly root: RootLedger;
  readonly exit: number;
}

export class WiredRoots {
  readonly ledgers = new Map<string, RootLedger>();
  /** The families, by the root of the children. */
  readonly families = new Map<string, Family>();
  /** The outputs in flight of the roots whose outputs are kept. */
  readonly outputs = new Map<RootLedger, KeptOutputs>();
  private readonly exits = new Map<string, WiredExit>();
  /** Per root, its ancestors and the root itself. */
  private readonly descents = new Map<string, Set<RootLedger>>();

  /** @param window the most lineages of each root in flight. */
  constructor(plan: GraphPlan, window: number, past: RunPast | undefined, kept: KeptState | undefined) {
    for (const { id, exits, parent } of plan.roots.values()) {
      const ledger = new RootLedger(id, window);
      this.ledgers.set(id, ledger);
      for (const exit of exits) {
        this.exits.set(exitKey(id, exit), { root: ledger, exit: ledger.addExit(exitLabel(exit)) });
      }
      const start = past?.startOf(id) ?? 0;
      if (start > 0) ledger.startAt(start);
      past?.connect(id, ledger);
      if (parent !== undefined) this.families.set(id, new Family(ledger));
      if (kept?.plan.durability.ofRoot(id) === 'kept') {
        this.outputs.set(ledger, new KeptOutputs(ledger, kept.keeper.space(`outputs of ${id}`)));
      }
    }
    const outputRoots = new Map(plan.nodes.map(({ node, outputRoot }) => [node.name, outputRoot]));
    for (const node of plan.nodes) this.descend(node, outputRoots);
  }

  ledger(id: string): RootLedger {
    return this.ledgers.get(id) as RootLedger;
  }

  exit(root: string, exit: ExitPlan): WiredExit {
    return this.exits.get(exitKey(root, exit)) as WiredExit;
  }

  /** The ancestors of a root, and the root itself. */
  descentOf(root: string): ReadonlySet<RootLedger> {
    return this.descents.get(root) ?? new Set();
  }

  private descend({ node, inputRoot, outputRoot }: NodePlan, outputRoots: ReadonlyMap<string, string>): void {
    const from = node.dependencies.map((name) => outputRoots.get(name) as string);
    for (const id of [inputRoot, outputRoot]) {
      if (id === undefined || this.descents.has(id)) continue;
      const descent = new Set([this.ledger(id)]);
      for (const parent of from) for (const root of this.descents.get(parent) ?? []) descent.add(root);
      this.descents.set(id, descent);
      from.push(id);
    }
  }
}

function exitKey(root: string, exit: ExitPlan): string {
  return JSON.stringify([root, exit.task, exit.dependency ?? -1]);
}
