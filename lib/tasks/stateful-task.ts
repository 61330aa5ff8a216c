/**
 * Tasks with a state per key: running features, deduplication, rates, alerts. A keyed scan. A boundary: its outputs
 * have a new root.
 *
 * Guarantees: the records of a key are processed one after the other, in root order in a run with checkpoints. The
 * state of a key and the records that it contains are in one checkpoint, so a resumed run counts each record once.
 * State is bounded by `maxKeys` and `ttlMs`; evictions are reported. With `partitionBy` the results are the same, and
 * if a thread dies, at most the record that killed it is lost.
 */
import type { OperatorFunction } from 'rxjs';
import type { ModuleRef } from '../execution/executor.js';
import { loadChecked } from '../execution/load-export.js';
import type { ThreadContext } from '../execution/thread-context.js';
import { homeOf, referTo, type Threadable } from '../execution/thread-function.js';
import { MillraceError } from '../model/errors.js';
import type { Batch, Skip } from '../model/record.js';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  either,
  number,
  oneOf,
  type OptionRules,
} from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { ModuleFunction } from './cpu-task.js';
import type { Stateful, StatefulOptions } from './stateful.js';
import { BaseTask, type Operators, type Partitioning, type Task, type TaskBound } from './task.js';
import { DEFAULT_MAX_KEYS, DURABLE_RULES, TASK_RULES } from './task-options.js';

export type { Stateful, StatefulOptions };

const RULES: OptionRules<StatefulOptions<unknown, unknown>> = {
  ...TASK_RULES,
  ...DURABLE_RULES,
  maxKeys: count(),
  ttlMs: number(Number.MIN_VALUE),
  partitionBy: either(oneOf('key'), callback),
  timeoutMs: count(),
};
const STATEFUL_RULES: OptionRules<Stateful<never, unknown, unknown, unknown>> = {
  key: callback,
  init: callback,
  step: callback,
};

/** The functions: the export itself, or the result of a factory. */
type StatefulOf<Export> = Export extends (args: never) => infer Made ? Made : Export;
type SteppedOf<Export> =
  StatefulOf<Export> extends { step: (state: never, record: infer In, ...rest: never[]) => unknown } ? In : never;
type SteppedTo<Export> =
  StatefulOf<Export> extends { step: (...given: never) => readonly [unknown, infer Out] } ? Exclude<Out, Skip> : never;

/**
 * Calls `step` with each record and the state of its key, and emits one output per record. In a run with checkpoints
 * the states are part of them (see `DurableOptions`), so they must be plain data. The number of evicted keys is
 * reported as a notice, at the first one and at the end. With `partitionBy`, `step` is called in threads; then it gets
 * a `ThreadContext`. Throws MILLRACE_INVALID_OPTION if `init` or `step` is not a function, for options that do not fit,
 * and for `partitionBy` or `timeoutMs` if threads cannot load the functions.
 *
 * @example
 * statefulTask({ key: (sale: Sale) => sale.member, init: () => 0,
 *   step: (total, sale) => [total + sale.amount, { ...sale, total: total + sale.amount }] })
 */
export function statefulTask<In, State, Out, Key = undefined>(
  stateful: Stateful<In, Key, State, Out>,
  options?: StatefulOptions<In, Exclude<Out, Skip>>,
): Task<In, Exclude<Out, Skip>>;
export function statefulTask<In, State, Out, Key = undefined>(
  stateful: Threadable<Stateful<In, Key, State, Out, ThreadContext>>,
  options: StatefulOptions<In, Exclude<Out, Skip>>,
): Task<In, Exclude<Out, Skip>>;
export function statefulTask<Module, Name extends string & keyof Module>(
  where: { readonly module: URL | string; readonly export: Name; readonly args?: unknown },
  options: StatefulOptions<SteppedOf<Module[Name]>, SteppedTo<Module[Name]>>,
): Task<SteppedOf<Module[Name]>, SteppedTo<Module[Name]>>;
export function statefulTask<In, Key, State, Out>(
  given: Stateful<In, Key, State, Out> | ModuleFunction,
  options: StatefulOptions<In, Out> = {},
): Task<In, Out> {
  checkObject('the functions of a statefulTask', given);
  checkOptions('a statefulTask', options, RULES);
  if ('module' in given) {
    return new StatefulTask<In, Key, State, Out>(undefined, referTo(given, 'a statefulTask'), options);
  }
  checkStateful(given);
  return new StatefulTask(given, homeOf(given)?.ref, options);
}

function checkStateful<In, Key, State, Out>(stateful: Stateful<In, Key, State, Out>): void {
  for (const part of ['init', 'step'] as const) checkFunction(`\`${part}\` of a statefulTask`, stateful[part]);
  if (Object.getPrototypeOf(stateful) === Object.prototype) {
    checkOptions('the functions of a statefulTask', stateful, STATEFUL_RULES);
  }
}

class StatefulTask<In, Key, State, Out> extends BaseTask<In, Out> {
  override readonly kind = 'stateful';
  override readonly bearing = 'boundary';
  override readonly isRepeatable: boolean;
  override readonly isDeterministic: boolean;
  override readonly keepsState = true;
  override readonly checkpointFormat = 'states';
  /** Loaded by `open` if only its module is known. */
  private stateful: Stateful<In, Key, State, Out> | undefined;
  private readonly ref: ModuleRef | undefined;
  private readonly statefulOptions: StatefulOptions<In, Out>;

  constructor(
    stateful: Stateful<In, Key, State, Out> | undefined,
    ref: ModuleRef | undefined,
    options: StatefulOptions<In, Out>,
  ) {
    super(options);
    checkPlace(stateful, ref, options);
    this.stateful = stateful;
    this.ref = ref;
    this.statefulOptions = options;
    const isThreaded = options.partitionBy !== undefined;
    // A record that kills its thread has no output, but may have one when it is processed again.
    this.isRepeatable = !isThreaded;
    // With a time to live, the clock decides too.
    this.isDeterministic = options.ttlMs === undefined && !isThreaded;
  }

  override get bounds(): readonly TaskBound[] {
    return [{ what: 'keys', most: this.statefulOptions.maxKeys ?? DEFAULT_MAX_KEYS }];
  }

  /** 'whole' before the run if only the module of the functions is known: then the key is not known yet. */
  override get partitioning(): Partitioning {
    const key = this.stateful?.key;
    return key === undefined ? 'whole' : { key: (record: In) => key(record) };
  }

  override get usesExecutor(): boolean {
    return this.statefulOptions.partitionBy !== undefined;
  }

  override async open(): Promise<void> {
    if (this.ref === undefined || !this.usesExecutor) return;
    this.stateful ??= (await loadChecked(this.ref, 'stateful')) as Stateful<In, Key, State, Out>;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return operators.operate((subscriber) => {
      const { ref, statefulOptions: options } = this;
      const stateful = this.stateful as Stateful<In, Key, State, Out>;
      return ref === undefined || !this.usesExecutor || scope.executor.size === 0
        ? new operators.KeyedScan<In, Key, State, Out>(stateful, options, scope, subscriber)
        : new operators.ThreadedScan<In, Key, State, Out>(stateful, ref, options, scope, subscriber);
    });
  }
}

/**
 * Throws MILLRACE_INVALID_OPTION if the options need threads and the functions cannot be called there, or the reverse.
 */
function checkPlace(
  stateful: object | undefined,
  ref: ModuleRef | undefined,
  { partitionBy, timeoutMs, output }: Partial<Record<'partitionBy' | 'timeoutMs' | 'output', unknown>>,
): void {
  const refusal = ((): string | undefined => {
    if (partitionBy === undefined) {
      if (timeoutMs !== undefined) return '`timeoutMs` needs threads. Add `partitionBy`';
      return stateful === undefined ? 'A statefulTask with a module URL runs in threads. Add `partitionBy`' : undefined;
    }
    if (ref === undefined) {
      return "`partitionBy` needs functions that threads can load, and the module of these is not known. Wrap them: export const totals = threadStateful(import.meta.url, 'totals', { … })";
    }
    // The state in the thread would already contain the record.
    return output === undefined
      ? undefined
      : '`output` cannot be checked in threads. Check the output in `step`, or as `input` of the next task';
  })();
  if (refusal !== undefined) throw new MillraceError('MILLRACE_INVALID_OPTION', refusal);
}
