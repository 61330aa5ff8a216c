/**
 * Executes a workload, with the same code inline and in a thread, so that both produce the same results.
 *
 * Guarantees: a throw ends only its own record; the loop continues after it. Each step is written to `progress` before
 * the record is touched, so an observer knows the record on which a thread died. Returned arrays are packed, because
 * arrays with holes are cloned property by property.
 */
import { FatalTaskError } from '../model/errors.js';
import type { Ending, Workload, MapWorkload } from './executor.js';
import { foldChunk, foldInto } from './fold.js';
import { loadChecked, type AnyAggregate, type AnyStateful } from './load-export.js';
import { checkedFunctions } from './checked-functions.js';
import { LoadedPartition } from './loaded-partition.js';
import { LoadedStates } from './loaded-states.js';
import { isPromiseLike } from '../model/awaitable.js';
import { Skip, type Lineage } from '../model/record.js';
import { PROGRESS, type LoadedWorkload } from './running-workload.js';
import { WorkloadContext, type ThreadContext } from './thread-context.js';
import { homeOf } from './thread-function.js';

type Work = (record: unknown, context: ThreadContext) => unknown;

/** Loads the exports of the workload. Throws MILLRACE_INVALID_OPTION if one does not fit. */
export async function loadWorkload(workload: Workload): Promise<LoadedWorkload> {
  if (workload.kind === 'map') return loadMap(workload);
  if (workload.kind === 'keyed') {
    const { task, runId, seed } = workload;
    const functions = await loadChecked(workload.ref, workload.as);
    const context = new WorkloadContext(task, runId, seed);
    if (workload.as === 'stateful') return LoadedStates.ofStateful(functions as AnyStateful, context);
    return LoadedStates.ofAggregate(functions as AnyAggregate, context);
  }
  const aggregate = (await loadChecked(workload.ref, 'aggregate')) as AnyAggregate;
  if (workload.kind === 'fold') return loadFold(aggregate, workload.task);
  return new LoadedPartition(workload, aggregate);
}

async function loadMap(workload: MapWorkload): Promise<LoadedWorkload> {
  const works = await Promise.all(
    workload.members.map(async ({ ref }) => (await loadChecked(ref, 'function')) as Work),
  );
  const contexts = workload.members.map(
    ({ task }, member) => new WorkloadContext(task, workload.runId, workload.seed + member),
  );
  const transfer = await loadTransfer(workload, works.at(-1));
  return {
    transferOf: (outputs) => (transfer === undefined ? [] : outputs.flatMap((output) => transfer(output))),
    execute: ({ chunk, progress, wantsBetween }) => {
      const endings: Ending[] = [];
      const elapsedMs: number[] = [];
      const between: (readonly unknown[])[] = [];
      const ended = new Set<number>();
      let values = chunk.records;
      works.forEach((work, member) => {
        const context = contexts[member] as WorkloadContext;
        const startedAtMs = performance.now();
        progress[PROGRESS.member] = member;
        const outputs = runMember({ work, context, member, progress, endings, ended }, values, chunk.lineages);
        elapsedMs.push(performance.now() - startedAtMs);
        if (wantsBetween && member < works.length - 1) between.push(outputs);
        values = outputs;
      });
      return { outputs: values, endings, elapsedMs, between: wantsBetween ? between : undefined };
    },
  };
}

async function loadTransfer(
  workload: MapWorkload,
  work: Work | undefined,
): Promise<((output: unknown) => readonly object[]) | undefined> {
  const member = workload.members.at(-1);
  const { transferExport } = member ?? {};
  if (member === undefined || transferExport === undefined) {
    return homeOf(work)?.transfer as ((output: unknown) => readonly object[]) | undefined;
  }
  return (await loadChecked({ module: member.ref.module, export: transferExport }, 'function')) as (
    output: unknown,
  ) => readonly object[];
}

/** One member over one chunk. */
interface MemberWork {
  readonly work: Work;
  readonly context: WorkloadContext;
  readonly member: number;
  readonly progress: Int32Array;
  readonly endings: Ending[];
  readonly ended: Set<number>;
}

function runMember(
  { work, context, member, progress, endings, ended }: MemberWork,
  values: readonly unknown[],
  lineages: readonly Lineage[],
): unknown[] {
  const outputs: unknown[] = [];
  const count = values.length;
  const end = (index: number, how: { skip: string } | { error: unknown }): void => {
    endings.push({ index, member, ...how, ...(member > 0 ? { record: values[index] } : {}) });
    ended.add(index);
    outputs.push(undefined);
  };
  let i = 0;
  // A throw leaves the inner loop and ends its record, and the outer loop continues. So `try` is entered per failure,
  // not per record.
  while (i < count) {
    try {
      for (; i < count; i++) {
        if (member > 0 && ended.has(i)) {
          outputs.push(undefined);
          continue;
        }
        progress[PROGRESS.index] = i;
        context.lineage = lineages[i] as Lineage;
        const output = work(values[i], context);
        if (typeof output === 'object' && output !== null) {
          if (output instanceof Skip) {
            end(i, { skip: output.reason });
            continue;
          }
          if (isPromiseLike(output)) throw promiseReturned(output, outputs, context.task);
        }
        outputs.push(output);
      }
    } catch (error) {
      if (error instanceof FatalTaskError) throw error;
      end(i, { error });
      i++;
    }
  }
  return outputs;
}

/** The error for a promise: a promise cannot leave a thread, and a thread that waits is not busy. */
function promiseReturned(promise: PromiseLike<unknown>, outputs: readonly unknown[], task: string): FatalTaskError {
  // The rejection of a promise that no code handles would end the process.
  for (const one of [promise, ...outputs]) if (isPromiseLike(one)) one.then(undefined, () => undefined);
  return new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `The function of '${task}' returned a promise, but its kind of task is synchronous. Use asyncTask`,
  );
}

function loadFold(aggregate: AnyAggregate, task: string): LoadedWorkload {
  const fold = { aggregate: checkedFunctions(aggregate, task) };
  return {
    transferOf: () => [],
    execute: (work) => {
      const states = new Map<unknown, unknown>();
      const folded = foldChunk(work, (record) => {
        foldInto(states, record, fold);
      });
      return { ...folded, outputs: [...states] };
    },
  };
}
