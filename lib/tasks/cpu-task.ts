/**
 * Tasks for work that is heavy on the processor: a pure function that is exported by a module.
 *
 * Guarantees: the run decides whether the function runs inline or in threads. The results are the same in both cases.
 */
import type { OperatorFunction } from 'rxjs';
import type { ModuleRef, HopWork } from '../execution/executor.js';
import type { ThreadContext } from '../execution/thread-context.js';
import type { TaskMemo } from '../model/memo.js';
import { anObject, callback, checkOptions, count, flag, text, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { referTo, type Threadable } from '../execution/thread-function.js';
import type { HopTask, MapExecutorOptions } from '../stream/map-executor.js';
import type { FusedTask, Fusible, Members } from './fusible.js';
import { checkInput, checkOutput } from './record-step.js';
import { BaseTask, type Operators, type Task } from './task.js';
import { checkMemo, REMEMBERING_RULES, TASK_RULES, type RememberingOptions, type TaskOptions } from './task-options.js';

/** The location of a pure function of one record. */
export interface ModuleFunction {
  /** The URL of an ES module, e.g. `new URL('./features.js', import.meta.url)`. */
  readonly module: URL | string;
  /** The name of the export. */
  readonly export: string;
  /**
   * If present, the export is a factory: it is called with this value once per thread and returns the function.
   * Cloneable.
   */
  readonly args?: unknown;
}

/** Options of `cpuTask`. */
export interface CpuOptions<In, Out> extends TaskOptions<In, Out>, RememberingOptions {
  /** Emits in input order instead of completion order. Default false. */
  readonly ordered?: boolean;
  /**
   * The limit per record in milliseconds. A thread that exceeds it, by up to a quarter, is stopped and replaced. Needs
   * threads: nothing can stop a function that runs inline. Default: no limit.
   */
  readonly timeoutMs?: number;
  /** The objects that are moved between threads instead of copied. */
  readonly transfer?: {
    /**
     * Returns the objects of a record to move. No other task can use the record afterwards, and the record is sent in a
     * message of its own.
     */
    readonly input?: (record: In) => readonly object[];
    /** The export of the same module that returns the objects of an output to move. A `threadFunction` has its own. */
    readonly output?: string;
  };
  /** Whether the task may share a thread hop with a neighbour. Default true. */
  readonly fuse?: boolean;
}

const RULES: OptionRules<CpuOptions<never, unknown>> = {
  ...TASK_RULES,
  ...REMEMBERING_RULES,
  ordered: flag,
  timeoutMs: count(),
  transfer: anObject,
  fuse: flag,
};
const TRANSFER_RULES: OptionRules<Required<CpuOptions<never, unknown>>['transfer']> = { input: callback, output: text };

/** The work of a `cpuTask` on one record. The context is valid during the call. */
export type CpuFunction<In, Out> = (record: In, context: ThreadContext) => Out | Skip;

/** The result of a factory, or the export itself. */
type Made<Export> = Export extends (args: never) => infer Result
  ? Result extends (record: never, ...rest: never[]) => unknown
    ? Result
    : Export
  : never;

type RecordOf<Export> = Made<Export> extends (record: infer In, ...rest: never[]) => unknown ? In : never;
type OutputOf<Export> =
  Made<Export> extends (record: never, ...rest: never[]) => infer Out ? Exclude<Out, Skip> : never;

/**
 * Calls a pure synchronous function per record, for work of about 20 µs per record or more. The function is tagged with
 * its module (`threadFunction`, `threadFactory`), or given as a module URL and the name of an export. Throws
 * MILLRACE_INVALID_OPTION for a function whose module is not known, and for options that do not fit. The run checks
 * when it opens that the module has the function.
 *
 * @example
 * // features.ts: export const features = threadFunction(import.meta.url, 'features', (row: Row) => compute(row));
 * cpuTask(features)
 * const module = new URL('./features.js', import.meta.url);
 * cpuTask<typeof import('./features.js'), 'features'>({ module, export: 'features' })
 */
export function cpuTask<In, Out>(
  work: Threadable<(record: In, context: ThreadContext) => Out>,
  options?: CpuOptions<In, Exclude<Out, Skip>>,
): Task<In, Exclude<Out, Skip>>;
export function cpuTask<Module, Name extends string & keyof Module>(
  where: { readonly module: URL | string; readonly export: Name; readonly args?: unknown },
  options?: CpuOptions<RecordOf<Module[Name]>, OutputOf<Module[Name]>>,
): Task<RecordOf<Module[Name]>, OutputOf<Module[Name]>>;
export function cpuTask<In, Out>(work: unknown, options: CpuOptions<In, Out> = {}): Task<In, Out> {
  checkOptions('a cpuTask', options, RULES);
  checkMemo('a cpuTask', options.memo, true);
  if (options.transfer !== undefined) checkOptions('`transfer`', options.transfer, TRANSFER_RULES);
  return new CpuTask(referTo(work, 'a cpuTask'), options);
}

/** A task whose work is one member of a hop, so that neighbours can share it. */
class CpuTask<In, Out> extends BaseTask<In, Out> {
  override readonly kind = 'cpu';
  private readonly ref: ModuleRef;
  private readonly cpuOptions: CpuOptions<In, Out>;

  constructor(ref: ModuleRef, options: CpuOptions<In, Out>) {
    super(options);
    this.ref = ref;
    this.cpuOptions = options;
  }

  override get usesExecutor(): boolean {
    return true;
  }

  override get memo(): TaskMemo | undefined {
    const { memo: options, ordered = false } = this.cpuOptions;
    const { module, export: name, args } = this.ref;
    return options && { options, module, parts: () => [name, args], isOrdered: ordered };
  }

  override get fusible(): HopTraits {
    const { onFailure, input, output, timeoutMs, ordered = false, transfer, memo } = this.cpuOptions;
    const fuse = this.cpuOptions.fuse !== false && memo === undefined;
    return {
      member: (task) => ({ task, ref: this.ref, transferExport: transfer?.output }),
      optionsOf: (task) => ({
        ordered,
        timeoutMs,
        transfer: transfer?.input as ((record: unknown) => readonly object[]) | undefined,
        before: input === undefined ? undefined : checkInput(input, task),
        after: output === undefined ? undefined : checkOutput(output, task),
      }),
      mayLead: fuse && typeof onFailure !== 'object' && output === undefined && transfer?.output === undefined,
      mayFollow: fuse && input === undefined && transfer?.input === undefined,
      where: 'in threads',
      policy: JSON.stringify([timeoutMs, ordered]),
      fuse: hopOperator,
    };
  }

  override open(scope: TaskScope): Promise<void> {
    return scope.executor.check(this.ref, 'function');
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return hopOperator([{ scope, fusible: this.fusible }], operators) as OperatorFunction<Batch<unknown>, Batch<Out>>;
  }
}

/** The traits of a cpu task that let a neighbour share its hop to a thread. */
interface HopTraits extends Fusible {
  readonly member: (task: string) => HopWork;
  readonly optionsOf: (task: string) => MapExecutorOptions<unknown, unknown>;
}

/** One task of a chain. */
interface HopMember extends FusedTask {
  readonly fusible: HopTraits;
}

/**
 * The first task checks the inputs of the chain and the last one its outputs. The other options are the same for all.
 */
function hopOperator(
  given: Members<FusedTask>,
  operators: Operators,
): OperatorFunction<Batch<unknown>, Batch<unknown>> {
  const members = given as Members<HopMember>;
  const [first] = members;
  const last = members.at(-1) ?? first;
  const tasks = members.map(({ fusible, scope, tap }) => ({
    scope,
    member: fusible.member(scope.task),
    ...(tap === undefined ? {} : { tap }),
  })) as [HopTask, ...HopTask[]];
  return operators.mapExecutor(tasks, {
    ...first.fusible.optionsOf(first.scope.task),
    after: last.fusible.optionsOf(last.scope.task).after,
  });
}
