/**
 * The tasks of a run in front of a fork whose outputs are kept. A resumed run leaves out the work in front of these
 * outputs, and emits an output again if a branch still needs it.
 */
import type { RootLedger } from '../../ledger/ledger.js';
import type { Batch, Lineage } from '../../model/record.js';
import { KeptOutcomes } from '../../stream/kept-outcomes.js';
import type { ResumePlan } from '../resume/resume-plan.js';
import type { RunPast } from '../resume/run-past.js';
import type { StateKeeper } from '../resume/state-keeper.js';
import type { RunScope } from './scope.js';

export class Forks {
  private readonly plan: ResumePlan;
  private readonly keeper: StateKeeper;
  private readonly past: RunPast | undefined;
  private readonly outcomes = new Map<string, KeptOutcomes>();
  /** By root, the outcomes of its tasks. */
  private readonly byRoot = new Map<RootLedger, KeptOutcomes[]>();
  /** By task with dead letters, the tasks that do the work again in a replay. */
  private readonly behind = new Map<string, ReadonlySet<string>>();

  constructor(plan: ResumePlan, keeper: StateKeeper, past: RunPast | undefined) {
    this.plan = plan;
    this.keeper = keeper;
    this.past = past;
  }

  /** Keeps the outputs of the task, if it is in front of a fork. */
  add(scope: RunScope): void {
    const { task, root } = scope;
    if (!this.keeper.isKeeping || !this.plan.isFork(task)) return;
    const labels = this.plan.labelsAfter(task);
    const exits = labels.map((label) => root.exitLabels.indexOf(label));
    const outcomes = new KeptOutcomes(scope, this.keeper.space(`fork ${task}`), exits, (lineage) =>
      labels.some((label) => this.hasLeft(root.name, label, lineage)),
    );
    this.outcomes.set(task, outcomes);
    this.byRoot.set(root, [...(this.byRoot.get(root) ?? []), outcomes]);
  }

  /** The outputs of the task, with those of earlier incarnations. */
  through(task: string, root: string, batch: Batch<unknown>): Batch<unknown> {
    const outcomes = this.outcomes.get(task);
    if (outcomes === undefined) return batch;
    const labels = this.plan.labelsAfter(task);
    const isAlways = this.plan.feedsBoundary(task);
    return outcomes.through(
      batch,
      (lineage) => isAlways || labels.some((label) => !this.hasLeft(root, label, lineage)),
    );
  }

  /**
   * A test whether the task need not work on a record, because the result of a task behind it is known: the output of
   * that task is kept, or it gave the record up. Undefined in a run that is not resumed.
   */
  leftOut(task: string, root: string): ((lineage: Lineage) => boolean) | undefined {
    const { past } = this;
    if (past === undefined) return undefined;
    const own = [...this.byRoot].find(([{ name }]) => name === root)?.[1] ?? [];
    return (lineage) => {
      if (!past.isPartlyGivenUp(root, lineage) && !own.some((outcomes) => outcomes.has(lineage))) return false;
      const isKeptAt = (name: string): boolean =>
        this.outcomes.get(name)?.has(lineage) === true || past.wasGivenUp(name, root, lineage);
      return !this.plan.isNeeded(task, (label) => this.hasLeft(root, label, lineage), isKeptAt);
    };
  }

  /**
   * Keeps the outcomes that a replay of a dead letter of the task needs again: in front of the task, and on the
   * branches beside it.
   */
  retain(task: string, root: RootLedger, lineage: Lineage): void {
    const own = this.byRoot.get(root);
    if (own === undefined) return;
    const behind = this.behind.get(task) ?? this.plan.behind(task);
    this.behind.set(task, behind);
    for (const outcomes of own) if (!behind.has(outcomes.task)) outcomes.retain(lineage);
  }

  private hasLeft(root: string, label: string, lineage: Lineage): boolean {
    return this.past?.hasLeft(root, label, lineage) === true;
  }
}
