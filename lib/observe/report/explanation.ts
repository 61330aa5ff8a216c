/**
 * The explanation of a workflow: its plan as plain data, beside the measures of one of its runs. The plan is kept with
 * each run, so a report and a server explain a run without loading its workflow.
 */
import { entry } from '../../text/entry.js';

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

/** The measures of one run. */
export interface RunMeasures {
  readonly runId: string;
  readonly tasks: Readonly<Record<string, { readonly recordMs: number; readonly busyMs: number }>>;
  /** The tasks that did not run, because their rules were not met. Default: none. */
  readonly skipped?: readonly string[];
  /** By root, the most lineages in flight that a `progress` event has shown. Empty if no events were kept. */
  readonly inFlight: Readonly<Record<string, number>>;
  readonly rssBytes?: number;
}

/** The part of an explanation that follows from the workflow alone. */
export interface PlannedWorkflow {
  readonly format: 1;
  readonly workflow: string;
  /** In the order of the graph: each task with the tasks that its records come from, or whose end it waits for. */
  readonly tasks: readonly { readonly task: string; readonly from: readonly string[] }[];
  /** Roots, whose records in flight a run measures, have `isRoot`. */
  readonly memory: readonly (Omit<MemoryBound, 'seen'> & { readonly isRoot?: true })[];
  readonly obstacle: string | null;
  readonly afterCrash: readonly AfterCrash[];
  readonly unrepeatable: readonly Unrepeatable[];
}

/** The explanation of a workflow beside the measures of a run; undefined if none was measured. */
export function explained(plan: PlannedWorkflow, measures: RunMeasures | undefined): Explanation {
  const { workflow, tasks, memory, obstacle, afterCrash, unrepeatable } = plan;
  return {
    workflow,
    run: measures?.runId ?? null,
    criticalPath: criticalPath(tasks, measures),
    memory: memory.map(({ isRoot, ...bound }) => ({
      ...bound,
      seen: isRoot === true ? (entry(measures?.inFlight ?? {}, bound.of) ?? null) : null,
    })),
    memoryPeakBytes: measures?.rssBytes ?? null,
    obstacle,
    afterCrash,
    unrepeatable,
  };
}

const HOW: Readonly<Record<AfterCrash['how'], string>> = {
  continues: 'continues: only what was in flight is processed again',
  kept: 'continues with its state from the last checkpoint',
  computed: 'gets all of its input again',
  repeated: 'repeats all of its work',
  skips: 'goes on with new records: what was in flight is lost',
};

/** What happens to the task, as one clause. */
export function crashText({ how, calls, isRemembered }: AfterCrash): string {
  return [
    HOW[how],
    ...(calls === undefined ? [] : [callsText(calls)]),
    ...(isRemembered ? ['its outputs are remembered'] : []),
  ].join('; ');
}

function callsText({ isIdempotent }: NonNullable<AfterCrash['calls']>): string {
  if (isIdempotent === null) return 'calls in flight are repeated, so they should be idempotent';
  return isIdempotent
    ? 'calls in flight are repeated, which has no further effect'
    : 'calls in flight are repeated, and may have their effect twice';
}

/** The longest chain by the time of a record. Chains of equal time are compared by their number of tasks. */
function criticalPath(tasks: PlannedWorkflow['tasks'], measures: RunMeasures | undefined): CriticalPath {
  // A task whose rule was not met is not the end of a path.
  const skipped = new Set(measures?.skipped);
  const best = new Map<string, { readonly ms: number; readonly length: number; readonly from: string | undefined }>();
  for (const { task, from: dependencies } of tasks) {
    let longest: { ms: number; length: number; from: string | undefined } = { ms: 0, length: 0, from: undefined };
    for (const from of dependencies) {
      const before = best.get(from);
      if (before === undefined) continue;
      const isLonger = before.ms > longest.ms || (before.ms === longest.ms && before.length > longest.length);
      if (isLonger) longest = { ms: before.ms, length: before.length, from };
    }
    const own = measured(task, measures).recordMs ?? 0;
    const hasRun = !skipped.has(task);
    best.set(task, { ms: longest.ms + own, length: longest.length + (hasRun ? 1 : 0), from: longest.from });
  }
  const [last] = [...best].sort(([, a], [, b]) => b.ms - a.ms || b.length - a.length)[0] ?? [];
  const path: string[] = [];
  for (let name = last; name !== undefined; name = best.get(name)?.from) path.unshift(name);
  const all = tasks.map(({ task }) => measured(task, measures));
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
