/**
 * Aggregates: many records in, one result per key out, at the end of the input. A boundary: the results have a new
 * root.
 *
 * Guarantees: the fold is a monoid (init, add, merge), so parts of the input can be folded separately and merged in
 * order. Results are emitted in the order in which their keys first appeared, and only as fast as the tasks downstream
 * settle them. A run that drains emits no results, because a partial aggregate is a wrong answer.
 */
import type { Observable, OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { ModuleRef } from '../execution/executor.js';
import { loadChecked } from '../execution/load-export.js';
import {
  callback,
  checkFunction,
  checkObject,
  checkOptions,
  count,
  either,
  oneOf,
  type OptionRules,
} from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import { Rejected, type Batch, type Skip } from '../model/record.js';
import type { Reader } from '../stream/reader.js';
import { homeOf, referTo } from '../execution/thread-function.js';
import type { Aggregate } from './aggregate.js';
import type { Aggregator } from './aggregator.js';
import type { ModuleFunction } from './cpu-task.js';
import { ExpandTask } from './expand-task.js';
import { checkInput, compileSyncStep } from './record-step.js';
import { BaseTask, type FoldedSource, type Operators, type Partitioning, type Task, type TaskBound } from './task.js';
import { DEFAULT_MAX_KEYS, DURABLE_RULES, TASK_RULES, type DurableOptions, type TaskOptions } from './task-options.js';

export type { Aggregate };

/** Options of `aggregateTask`. */
export interface AggregateOptions<In, Out> extends TaskOptions<In, Out>, DurableOptions {
  /** The most keys; one more fails the run. Default 10,000,000. */
  readonly maxKeys?: number;
  /**
   * For an aggregate in threads: one thread folds all records of a key. The hash of the key (`partitionOf`) chooses the
   * thread, which keeps the state until the end, so `merge` is not needed. `'key'` partitions by the key of the
   * aggregate; a function may return a coarser key. If a thread dies, its states are lost and the run fails, unless the
   * state is kept (`durable`): then the thread of the run has a copy of each state. Default: every thread folds parts
   * of the input, and the thread of the run merges them in order; such a run survives the death of a thread.
   */
  readonly partitionBy?: 'key' | ((record: In) => string);
  /** For an aggregate in threads: the limit in milliseconds for adding one record. Default: no limit. */
  readonly timeoutMs?: number;
}

const RULES: OptionRules<AggregateOptions<never, unknown>> = {
  ...TASK_RULES,
  ...DURABLE_RULES,
  maxKeys: count(),
  partitionBy: either(oneOf('key'), callback),
  timeoutMs: count(),
};
/** The type of the aggregate: the export itself, or the result of a factory. */
type AggregateOf<Export> = Export extends (args: never) => infer Made ? Made : Export;
type FoldedOf<Export> = AggregateOf<Export> extends { add: (state: never, record: infer In) => unknown } ? In : never;
type FinishedOf<Export> =
  AggregateOf<Export> extends { finish: (...args: never) => infer Out } ? Exclude<Out, Skip> : never;

/**
 * Folds all records of a key into one result. An aggregate whose module is known (`threadAggregate`, `threadFactory`,
 * or a module URL and the name of an export) is folded in threads, which is faster from about 20 µs per record. Throws
 * MILLRACE_INVALID_OPTION for an aggregate without its functions, for options that do not fit, and for `partitionBy` or
 * `timeoutMs` if the module of the aggregate is not known.
 *
 * @example
 * aggregateTask({ key: (sale: Sale) => sale.shop, init: () => 0, add: (sum, sale) => sum + sale.amount,
 *   merge: (a, b) => a + b, finish: (sum, shop) => ({ shop, sum }) })
 */
export function aggregateTask<In, State, Out, Key = undefined>(
  aggregate: Aggregate<In, Key, State, Out>,
  options?: AggregateOptions<In, Exclude<Out, Skip>>,
): Task<In, Exclude<Out, Skip>>;
export function aggregateTask<Module, Name extends string & keyof Module>(
  where: { readonly module: URL | string; readonly export: Name; readonly args?: unknown },
  options?: AggregateOptions<FoldedOf<Module[Name]>, FinishedOf<Module[Name]>>,
): Task<FoldedOf<Module[Name]>, FinishedOf<Module[Name]>>;
export function aggregateTask<In, Key, State, Out>(
  given: Aggregate<In, Key, State, Out> | ModuleFunction,
  options: AggregateOptions<In, Out> = {},
): Task<In, Out> {
  checkObject('the aggregate of an aggregateTask', given);
  checkOptions('an aggregateTask', options, RULES);
  if ('module' in given)
    return new AggregateTask<In, Key, State, Out>(undefined, referTo(given, 'an aggregateTask'), options);
  checkAggregate(given);
  return new AggregateTask(given, homeOf(given)?.ref, options);
}

class AggregateTask<In, Key, State, Out> extends BaseTask<In, Out> {
  override readonly kind = 'aggregate';
  override readonly bearing = 'boundary';
  override readonly isRepeatable = true;
  override readonly isDeterministic = true;
  override readonly keepsState = true;
  override readonly checkpointFormat = 'groups';
  private readonly ref: ModuleRef | undefined;
  private readonly aggregateOptions: AggregateOptions<In, Out>;
  private readonly maxKeys: number;
  /** Loaded by `open` if only its module is known. */
  private loaded: Aggregate<In, Key, State, Out> | undefined;

  constructor(
    aggregate: Aggregate<In, Key, State, Out> | undefined,
    ref: ModuleRef | undefined,
    options: AggregateOptions<In, Out>,
  ) {
    super(options);
    if (ref === undefined && (options.partitionBy !== undefined || options.timeoutMs !== undefined)) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        "`partitionBy` and `timeoutMs` need an aggregate that threads can load, and the module of this one is not known. Wrap it: export const total = threadAggregate(import.meta.url, 'total', { … })",
      );
    }
    this.loaded = aggregate;
    this.ref = ref;
    this.aggregateOptions = options;
    this.maxKeys = options.maxKeys ?? DEFAULT_MAX_KEYS;
  }

  override get bounds(): readonly TaskBound[] {
    return [{ what: 'keys', most: this.maxKeys }];
  }

  /** 'whole' before the run if only the module of the aggregate is known: then its key is not known yet. */
  override get partitioning(): Partitioning {
    const key = this.loaded?.key;
    return key === undefined ? 'whole' : { key: (record: In) => key(record) };
  }

  override get usesExecutor(): boolean {
    return this.ref !== undefined;
  }

  /** Undefined for an aggregate of which only the module is known: whether it has a key is not known before the run. */
  override get listForm(): Task<never, unknown> | undefined {
    const { loaded, maxKeys, options } = this;
    if (loaded === undefined) return undefined;
    const lists: ListAggregate<In, Key, State, Out> = { aggregate: loaded, maxKeys, options };
    return loaded.key === undefined ? new AggregateOfList(lists) : aggregatesOfList(lists);
  }

  override async open(): Promise<void> {
    // This thread calls `merge` and `finish`, also when other threads add the records.
    if (this.ref !== undefined) this.loaded ??= (await loadChecked(this.ref, 'aggregate')) as typeof this.loaded;
    if (this.ref === undefined || this.aggregate.merge !== undefined) return;
    if (this.aggregateOptions.partitionBy !== undefined) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `The aggregate '${this.ref.export}' of ${this.ref.module} is folded in parts and has no \`merge\`. Give it one, or partition its keys with \`partitionBy: 'key'\``,
    );
  }

  private get aggregate(): Aggregate<In, Key, State, Out> {
    return this.loaded as Aggregate<In, Key, State, Out>;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    return this.aggregator(operators).operator(scope);
  }

  override foldFrom(
    { task, scope: source, onOver }: FoldedSource,
    scope: TaskScope,
    operators: Operators,
  ): Observable<Batch<Out>> | undefined {
    const { ref, maxKeys } = this;
    const { partitionBy, timeoutMs } = this.aggregateOptions;
    const isPlain = partitionBy === undefined && timeoutMs === undefined;
    // The schemas and the fallback of the user run in this thread, so they need the records in this thread.
    const isAsked =
      this.options.input !== undefined ||
      task.options.output !== undefined ||
      typeof task.options.onFailure === 'object';
    // A state that is kept is held in this thread.
    if (ref === undefined || !isPlain || isAsked || scope.state !== undefined) return undefined;
    const parts = task.foldParts({ aggregate: ref, maxKeys, task: scope.task }, source);
    return parts && this.aggregator(operators).folding(parts, { source, scope }, onOver);
  }

  private aggregator(operators: Operators): Aggregator<In, Key, State, Out> {
    const { aggregate, ref, maxKeys, options } = this;
    const { partitionBy, timeoutMs } = this.aggregateOptions;
    return new operators.Aggregator({ aggregate, ref, maxKeys, options, partitionBy, timeoutMs });
  }
}

/** An aggregate over one list at a time, in the thread of the run. */
interface ListAggregate<In, Key, State, Out> {
  readonly aggregate: Aggregate<In, Key, State, Out>;
  readonly maxKeys: number;
  readonly options: TaskOptions<unknown, unknown>;
}

/** The results of one list. Throws what the aggregate throws, and MILLRACE_INVALID_INPUT for a record of the list. */
function resultsOf<In, Key, State, Out>(
  { aggregate, maxKeys, options }: ListAggregate<In, Key, State, Out>,
  records: readonly In[],
  task: string,
  operators: Operators,
): Reader<Out | Skip | Rejected> {
  const groups = new operators.Groups<In, Key, State, Out>(aggregate, maxKeys, task);
  const before = checkInput<In>(options.input, task);
  // The record that the list belongs to is there, so it has a result also if its list is empty.
  if (aggregate.key === undefined) groups.put(undefined as Key, aggregate.init(undefined as Key));
  for (const record of records) groups.add(before(record));
  return groups.results((result) => result);
}

/** The options of a task over lists: the schema of the input is for the records of the list. */
function withoutInput<Out>({ input: _, ...options }: TaskOptions<unknown, unknown>): TaskOptions<never, Out> {
  return options as TaskOptions<never, Out>;
}

/** One result per list: an aggregate without a key. */
class AggregateOfList<In, Key, State, Out> extends BaseTask<readonly In[], Out> {
  override readonly kind = 'aggregate';
  override readonly isDeterministic = true;
  private readonly lists: ListAggregate<In, Key, State, Out>;

  constructor(lists: ListAggregate<In, Key, State, Out>) {
    super(withoutInput<Out>(lists.options));
    this.lists = lists;
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<readonly In[]>, Batch<Out>> {
    const resultOf = (records: readonly In[]): Out | Skip => {
      const [result] = resultsOf(this.lists, records, scope.task, operators).read(1) as readonly [
        Out | Skip | Rejected,
      ];
      if (result instanceof Rejected) throw result.error;
      return result;
    };
    return operators.mapSync(compileSyncStep<readonly In[], Out>(resultOf, this.options, scope), scope);
  }
}

/** One result per key of a list, as its children. */
function aggregatesOfList<In, Key, State, Out>(lists: ListAggregate<In, Key, State, Out>): Task<readonly In[], Out> {
  return new ExpandTask<readonly In[], Out>(
    (scope, operators) => (records) => {
      const results = resultsOf(lists, records, scope.task, operators);
      return all(results) as Iterable<Out | Skip>;
    },
    withoutInput<Out>(lists.options),
  );
}

function* all<Item>(reader: Reader<Item>): Iterable<Item> {
  for (let items = reader.read(1); items !== null; items = reader.read(1)) yield* items as readonly Item[];
}

/**
 * Throws MILLRACE_INVALID_OPTION if a required function is missing, a member is not a function, or a member is unknown.
 */
function checkAggregate<In, Key, State, Out>(given: Aggregate<In, Key, State, Out>): void {
  for (const part of ['init', 'add', 'finish'] as const) checkFunction(`\`${part}\` of an aggregateTask`, given[part]);
  // An instance of a user's class may have members of its own.
  if (Object.getPrototypeOf(given) === Object.prototype) checkOptions('an aggregate', given, AGGREGATE_RULES);
}

const AGGREGATE_RULES: OptionRules<Aggregate<never, unknown, unknown, unknown>> = {
  key: callback,
  init: callback,
  add: callback,
  merge: callback,
  finish: callback,
};
