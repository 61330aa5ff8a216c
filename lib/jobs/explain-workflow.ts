/**
 * Explains a workflow before it runs, beside the measures of one of its runs: the critical path, the bounds of memory,
 * and the work that a crash repeats.
 *
 * Guarantees: nothing is run or opened. All answers follow from the plan that a run uses, and from the declarations of
 * the tasks; nothing is guessed from the kind of a task.
 */
import { joinRootOf, type NodePlan } from '../model/graph.js';
import type { PreparedWorkflow } from '../runtime/definition/prepared-workflow.js';
import { ResumePlan } from '../runtime/resume/resume-plan.js';
import { DEFAULT_ALL_LIMIT, DEFAULT_GATHER_LIMIT, DEFAULT_KEYED_CAPACITY } from '../runtime/wiring/wired-inputs.js';
import type { TaskDeclaration } from '../tasks/flow.js';
import { entry } from '../text/entry.js';
import type { RunMeasures } from './run-measures.js';

/** One task of the critical path. */
export interface PathTask {
  readonly task: string;
  /**
   * The median of the time that a record waited for the task and spent in it, in milliseconds; null if not measured.
   */
  readonly recordMs: number | null;
  /** The time that the task was busy, in milliseconds; null if not measured. */
  readonly busyMs: number | null;
}

/** The longest chain of tasks. */
export interface CriticalPath {
  /** From a source to the end. */
  readonly tasks: readonly PathTask[];
  /** The sum of the times of a record; null if nothing was measured: the path is then the chain with the most tasks. */
  readonly recordMs: number | null;
  /** The busiest task of all; null if nothing was measured. */
  readonly busiest: PathTask | null;
}

/** A bound of memory. */
export interface MemoryBound {
  /** The name of the root or of the task. */
  readonly of: string;
  /** The counted things: `records in flight`, `keys`. */
  readonly what: string;
  readonly most: number;
  /** The most that the progress events of the run have shown; null if it was not measured. */
  readonly seen: number | null;
}

/** What happens to one task when its run dies and is resumed. */
export interface AfterCrash {
  readonly task: string;
  /**
   * `continues`: behind a source that can be read again, only records that were in flight are processed again. `kept`:
   * its state is in the checkpoints. `computed`: it gets all of its input again. `repeated`: it does all of its work
   * again. `skips`: a source that cannot be read again continues with new records.
   */
  readonly how: 'continues' | 'kept' | 'computed' | 'repeated' | 'skips';
  /** For a task with calls: whether a repeated call has no further effect; null if the task does not declare it. */
  readonly calls?: { readonly isIdempotent: boolean | null };
  /** True if the task has a memo: remembered outputs are not made again. */
  readonly isRemembered?: true;
}

/** A task whose records or outputs may differ, or be missing, when it runs again. */
export interface Unrepeatable {
  readonly task: string;
  /** The reason, as one clause. */
  readonly reason: string;
}

/** The whole explanation, as plain data. */
export interface Explanation {
  readonly workflow: string;
  /** The run that was measured; null if there is none. */
  readonly run: string | null;
  readonly criticalPath: CriticalPath;
  readonly memory: readonly MemoryBound[];
  /** The highest resident memory of the process of the run, in bytes; null if it was not measured. */
  readonly memoryPeakBytes: number | null;
  /** Why a run cannot be resumed; null if it can. */
  readonly obstacle: string | null;
  readonly afterCrash: readonly AfterCrash[];
  readonly unrepeatable: readonly Unrepeatable[];
}

/** @param measures the measures of a run of the workflow; undefined if no run was kept. */
export function explainWorkflow(prepared: PreparedWorkflow, measures: RunMeasures | undefined): Explanation {
  const { plan, declarations } = prepared;
  const resume = new ResumePlan(plan, declarations);
  const tasks = new Map(declarations.map((declaration) => [declaration.name, declaration]));
  const nodes = plan.nodes.map((node) => ({ node, declaration: tasks.get(node.node.name) as TaskDeclaration }));
  return {
    workflow: prepared.name,
    run: measures?.runId ?? null,
    criticalPath: criticalPath(plan.nodes, measures),
    memory: [
      ...[...plan.roots.keys()].map((root) => ({
        ...{ of: root, what: 'records in flight', most: prepared.window },
        seen: entry(measures?.inFlight ?? {}, root) ?? null,
      })),
      ...nodes.flatMap(({ node, declaration }) => boundsOf(node, declaration)),
    ],
    memoryPeakBytes: measures?.rssBytes ?? null,
    obstacle: resume.obstacle ?? null,
    afterCrash: nodes.map(({ node, declaration }) => afterCrash(node, declaration, resume)),
    unrepeatable: nodes.flatMap(({ node, declaration }) => unrepeatable(node, declaration, resume)),
  };
}

/** The longest chain by the time of a record. Chains of equal time are compared by their number of tasks. */
function criticalPath(nodes: readonly NodePlan[], measures: RunMeasures | undefined): CriticalPath {
  const best = new Map<string, { readonly ms: number; readonly length: number; readonly from: string | undefined }>();
  for (const { node } of nodes) {
    let longest: { ms: number; length: number; from: string | undefined } = { ms: 0, length: 0, from: undefined };
    for (const from of new Set([...node.dependencies, ...(node.after ?? [])])) {
      const before = best.get(from);
      if (before === undefined) continue;
      const isLonger = before.ms > longest.ms || (before.ms === longest.ms && before.length > longest.length);
      if (isLonger) longest = { ms: before.ms, length: before.length, from };
    }
    const own = measured(node.name, measures).recordMs ?? 0;
    best.set(node.name, { ms: longest.ms + own, length: longest.length + 1, from: longest.from });
  }
  const [last] = [...best].sort(([, a], [, b]) => b.ms - a.ms || b.length - a.length)[0] ?? [];
  const path: string[] = [];
  for (let name = last; name !== undefined; name = best.get(name)?.from) path.unshift(name);
  const all = nodes.map(({ node }) => measured(node.name, measures));
  const busiest = all.reduce<PathTask | null>(
    (most, one) => ((one.busyMs ?? 0) > (most?.busyMs ?? 0) ? one : most),
    null,
  );
  return {
    tasks: path.map((name) => measured(name, measures)),
    recordMs: measures === undefined ? null : (best.get(last ?? '')?.ms ?? 0),
    busiest,
  };
}

function measured(task: string, measures: RunMeasures | undefined): PathTask {
  const found = entry(measures?.tasks ?? {}, task);
  return { task, recordMs: found?.recordMs ?? null, busyMs: found?.busyMs ?? null };
}

function boundsOf({ node, join }: NodePlan, { task, join: options }: TaskDeclaration): MemoryBound[] {
  const { limit, capacity } = (options ?? {}) as { readonly limit?: number; readonly capacity?: number };
  const bound = (what: string, most: number): MemoryBound => ({ of: node.name, what, most, seen: null });
  const joins: Partial<Record<NodePlan['join'], MemoryBound>> = {
    all: bound('records collected per dependency', limit ?? DEFAULT_ALL_LIMIT),
    gather: bound('children collected per parent', limit ?? DEFAULT_GATHER_LIMIT),
    keyed: bound('records kept per side', capacity ?? DEFAULT_KEYED_CAPACITY),
  };
  const ofJoin = joins[join];
  return [...(ofJoin === undefined ? [] : [ofJoin]), ...(task.bounds ?? []).map(({ what, most }) => bound(what, most))];
}

function afterCrash(plan: NodePlan, { task }: TaskDeclaration, resume: ResumePlan): AfterCrash {
  const { name } = plan.node;
  return {
    task: name,
    how: howAfterCrash(plan, task, resume),
    ...(task.makesCalls === true ? { calls: { isIdempotent: task.isIdempotent ?? null } } : {}),
    ...(task.memo === undefined ? {} : { isRemembered: true as const }),
  };
}

function howAfterCrash(
  { node, outputRoot }: NodePlan,
  task: TaskDeclaration['task'],
  resume: ResumePlan,
): AfterCrash['how'] {
  if (node.bearing === 'source') {
    if (!task.isRepeatable) return 'skips';
    return resume.isReplayed(outputRoot) ? 'computed' : 'continues';
  }
  const { join, task: own } = resume.durability.of(node.name);
  if (resume.startsAnew(node.name)) return 'repeated';
  const found = [join, own].filter((one) => one !== undefined);
  if (found.includes('kept')) return 'kept';
  return found[0] === 'computed' ? 'computed' : 'continues';
}

function unrepeatable({ node }: NodePlan, { task }: TaskDeclaration, resume: ResumePlan): Unrepeatable[] {
  const { name, bearing } = node;
  if (bearing === 'source') {
    if (!task.isRepeatable) return [{ task: name, reason: 'it cannot be read again: what was in flight is lost' }];
    if (task.isTransient === true) return [{ task: name, reason: 'records may be gone once they have settled' }];
    return [];
  }
  if (resume.durability.ofRoot(joinRootOf(name)) === 'repeated') {
    return [{ task: name, reason: 'its join may pair records in another way' }];
  }
  if (bearing === 'boundary') {
    return task.isRepeatable || task.isDeterministic
      ? []
      : [{ task: name, reason: 'its outputs may come in another order, or be others' }];
  }
  return task.makesCalls === true ? [{ task: name, reason: 'a call may have another answer' }] : [];
}
