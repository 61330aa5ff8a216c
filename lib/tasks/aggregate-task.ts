/**
 * Aggregates: many records in, one result a key out, after the input is over. A boundary: results are a new root.
 *
 * Promises: the fold is a monoid (init, add, merge), so parts of the input may be folded apart and merged in order;
 * results leave in the order in which their keys first appeared, only as fast as what is downstream settles; a run that
 * drains emits nothing, because a partial aggregate is a wrong answer.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import type { ModuleRef } from '../execution/executor.js';
import { loadChecked } from '../execution/load-export.js';
import { callback, checkObject, checkOptions, count, either, oneOf, type OptionRules } from '../options/options.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Rejected, Skip } from '../model/record.js';
import { homeOf, referTo } from '../execution/thread-function.js';
import { FoldReports, type FoldScopes } from './fold-reports.js';
import { foldResults } from './fold-results.js';
import { foldStates } from './fold-states.js';
import { foldExecutor } from '../stream/fold-executor.js';
import { foldInline } from '../stream/fold-inline.js';
import { foldPartitions } from '../stream/fold-partitions.js';
import { mergeCollected } from '../stream/merge-collected.js';
import { pumpRoot } from '../stream/pump-root.js';
import { readerOf, type Reader } from '../stream/reader.js';
import type { ModuleFunction } from './cpu-task.js';
import { checkedReader } from './checked-reader.js';
import { checkAggregate, Groups, type Aggregate } from './groups.js';
import { checkInput, checkOutput } from './record-step.js';
import type { FoldedParts } from './source-parts.js';
import { BaseTask, type FoldedSource, type Task } from './task.js';
import { TASK_RULES, type TaskOptions } from './task-options.js';

export type { Aggregate };

/** Options of `aggregateTask`. */
export interface AggregateOptions<In, Out> extends TaskOptions<In, Out> {
  /** The most keys held; one more fails the run. Default 10,000,000. */
  readonly maxKeys?: number;
  /**
   * For an aggregate in threads: all records of a key meet in one thread, found by the hash of the key (`partitionOf`), and
   * its state stays there until the end; `merge` is not needed. `'key'` is the key of the aggregate; a function may be
   * coarser. The state of a thread that dies is lost, so that fails the run. Default: every thread folds parts of the
   * input, which are merged in order in the thread of the run; that survives threads that die.
   */
  readonly partitionBy?: 'key' | ((record: In) => string);
  /** For an aggregate in threads: the longest one record may take to be added, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number;
}

const DEFAULT_MAX_KEYS = 10_000_000;

const RULES: OptionRules<AggregateOptions<never, unknown>> = {
  ...TASK_RULES,
  maxKeys: count(),
  partitionBy: either(oneOf('key'), callback),
  timeoutMs: count(),
};
/** The aggregate an export is, or that a factory makes. */
type AggregateOf<Export> = Export extends (args: never) => infer Made ? Made : Export;
type FoldedOf<Export> = AggregateOf<Export> extends { add: (state: never, record: infer In) => unknown } ? In : never;
type FinishedOf<Export> =
  AggregateOf<Export> extends { finish: (...args: never) => infer Out } ? Exclude<Out, Skip> : never;

/**
 * Folds all records of a key into one result. An aggregate that says where it lives (`threadAggregate`, `threadFactory`,
 * or a module URL and the name of an export) is folded in threads, which pays from about 20 µs a record. Throws
 * MILLRACE_INVALID_OPTION for an aggregate without its functions, for options that do not fit, and for `partitionBy` or
 * `timeoutMs` where it does not say where it lives.
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
  private readonly ref: ModuleRef | undefined;
  private readonly aggregateOptions: AggregateOptions<In, Out>;
  private readonly maxKeys: number;
  /** Loaded by `open` where only its module is known. */
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
        "`partitionBy` and `timeoutMs` are for an aggregate in threads, and this one does not say which module it lives in. Wrap it: export const total = threadAggregate(import.meta.url, 'total', { … })",
      );
    }
    this.loaded = aggregate;
    this.ref = ref;
    this.aggregateOptions = options;
    this.maxKeys = options.maxKeys ?? DEFAULT_MAX_KEYS;
  }

  override get usesExecutor(): boolean {
    return this.ref !== undefined;
  }

  override async open(): Promise<void> {
    // Merging and finishing happen here, wherever the records are added.
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

  override operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    const { ref } = this;
    if (ref === undefined || scope.executor.size === 0) return this.inline(scope);
    return this.aggregateOptions.partitionBy === undefined ? this.inParts(ref, scope) : this.inPartitions(ref, scope);
  }

  override foldFrom(
    { task, scope: source, onOver }: FoldedSource,
    scope: TaskScope,
  ): Observable<Batch<Out>> | undefined {
    const { ref, maxKeys } = this;
    const { partitionBy, timeoutMs } = this.aggregateOptions;
    const isPlain = partitionBy === undefined && timeoutMs === undefined;
    // What has to be asked here, a schema or a fallback of the authors, wants the records here.
    const isAsked =
      this.options.input !== undefined ||
      task.options.output !== undefined ||
      typeof task.options.onFailure === 'object';
    if (ref === undefined || !isPlain || isAsked) return undefined;
    const parts = task.foldParts({ aggregate: ref, maxKeys, task: scope.task }, source);
    return parts && this.folding(parts, { source, scope }, onOver);
  }

  /** Threads read and fold; here what they have made is put together. */
  private folding({ refs, give }: FoldedParts, scopes: FoldScopes, onOver: () => void): Observable<Batch<Out>> {
    const { source, scope } = scopes;
    return new Observable((subscriber) => {
      scope.account.countsOutputsApart();
      const work = refs.then(async (parts) => {
        const reports = new FoldReports(parts, scopes);
        const close = (): void => {
          reports.close();
        };
        subscriber.add(close);
        source.whenEnding(close);
        const results = give === 'states' ? await this.merged(reports, scope) : await this.collected(reports, scope);
        if (subscriber.closed) return;
        source.root.exhaust();
        onOver();
        subscriber.add(pumpRoot<Out>(results, scope).subscribe(subscriber));
      });
      work.catch((error: unknown) => {
        subscriber.error(error);
      });
    });
  }

  private async merged(reports: FoldReports, scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    const groups = this.groups(scope);
    const merge = (key: unknown, state: unknown): void => {
      groups.merge(key as Key, state as State);
    };
    await foldStates(reports, merge, scope.turn);
    if (scope.isDraining) groups.clear();
    return groups.results(this.after(scope));
  }

  private async collected(reports: FoldReports, scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    return this.leaving(mergeCollected(await foldResults(reports)), scope);
  }

  /** What partitions give, checked. A drained input would give results over half of the records. */
  private leaving(results: Reader<unknown>, scope: TaskScope): Reader<Out | Skip | Rejected> {
    if (!scope.isDraining) return checkedReader<Out>(results as Reader<Out>, this.after(scope));
    void results.close();
    return readerOf<Out>([]);
  }

  private groups(scope: TaskScope): Groups<In, Key, State, Out> {
    return new Groups(this.aggregate, this.maxKeys, scope.task);
  }

  private after(scope: TaskScope): (result: Out | Skip) => Out | Skip {
    return checkOutput<Out>(this.options.output, scope.task);
  }

  /** Parts are folded in threads and merged here, in order. */
  private inParts(ref: ModuleRef, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        const groups = this.groups(scope);
        const before = checkInput<unknown>(this.options.input, scope.task);
        const { timeoutMs } = this.aggregateOptions;
        const merge = (part: readonly (readonly [unknown, unknown])[]): void => {
          for (const [key, state] of part) groups.merge(key as Key, state as State);
        };
        const onOver = (): void => {
          if (scope.isDraining) groups.clear();
          subscriber.add(pumpRoot<Out>(groups.results(this.after(scope)), scope).subscribe(subscriber));
        };
        foldExecutor(input$, { ref, timeoutMs, before, merge, onOver }, scope, subscriber);
      });
  }

  /** Keys are divided among threads, which keep their states; only results come back. */
  private inPartitions(ref: ModuleRef, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        const { partitionBy, timeoutMs } = this.aggregateOptions;
        const keyOf = partitionBy === 'key' ? this.aggregate.key : partitionBy;
        foldPartitions(
          input$,
          {
            ref,
            timeoutMs,
            partitions: scope.executor.size,
            maxKeys: this.maxKeys,
            before: checkInput<unknown>(this.options.input, scope.task),
            keyOf: (keyOf ?? (() => undefined)) as (record: unknown) => unknown,
            onOver: (results) => {
              subscriber.add(pumpRoot<Out>(this.leaving(results, scope), scope).subscribe(subscriber));
            },
          },
          scope,
          subscriber,
        );
      });
  }

  private inline(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return (input$) =>
      new Observable((subscriber) => {
        const groups = this.groups(scope);
        const check = checkInput<In>(this.options.input, scope.task);
        foldInline<In>(
          input$,
          {
            add: (record) => {
              groups.add(check(record));
            },
            onOver: () => {
              if (scope.isDraining) groups.clear();
              subscriber.add(pumpRoot<Out>(groups.results(this.after(scope)), scope).subscribe(subscriber));
            },
          },
          scope,
          subscriber,
        );
      });
  }
}
