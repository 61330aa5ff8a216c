/**
 * One aggregate in one run: chooses where records are folded, and emits the results. `aggregateTask` states the
 * guarantees.
 */
import { Observable, type OperatorFunction } from 'rxjs';
import type { WorkloadPort, ModuleRef } from '../execution/executor.js';
import type { Batch, Rejected, Skip } from '../model/record.js';
import { ExecutorFold } from '../stream/fold-executor.js';
import { foldInline } from '../stream/fold-inline.js';
import { partitionOfKey } from '../stream/key-partition.js';
import { mergeCollected } from '../stream/merge-collected.js';
import { operate } from '../stream/operate.js';
import { pumpInto } from '../stream/pump-root.js';
import { readerOf, type Reader } from '../stream/reader.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Aggregate } from './aggregate.js';
import { FoldReports, type FoldScopes } from './fold-reports.js';
import { foldResults } from './fold-results.js';
import { foldStates } from './fold-states.js';
import { Groups } from './groups.js';
import { identityOfKey } from './key-identity.js';
import { foldKeyed } from './keyed-fold.js';
import { checkedReader } from './read-source.js';
import { checkInput, checkOutput } from './record-step.js';
import type { FoldedParts } from './source-parts.js';
import type { TaskOptions } from './task-options.js';

/** An aggregate that was opened. */
export interface AggregatorParts<In, Key, State, Out> {
  readonly aggregate: Aggregate<In, Key, State, Out>;
  /** The module and export of the aggregate; undefined if it can only be folded inline. */
  readonly ref: ModuleRef | undefined;
  readonly maxKeys: number;
  readonly options: Pick<TaskOptions<unknown, unknown>, 'input' | 'output'>;
  readonly partitionBy: 'key' | ((record: In) => string) | undefined;
  readonly timeoutMs: number | undefined;
}

export class Aggregator<In, Key, State, Out> {
  private readonly parts: AggregatorParts<In, Key, State, Out>;

  constructor(parts: AggregatorParts<In, Key, State, Out>) {
    this.parts = parts;
  }

  operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    const { ref, partitionBy } = this.parts;
    if (ref === undefined || scope.executor.size === 0) return this.inline(scope);
    if (partitionBy === undefined) return this.inParts(ref, scope);
    if (scope.state === undefined) return this.inPartitions(ref, scope);
    return this.keyed(ref, partitionBy, scope);
  }

  /** For a source that threads read and fold: merges or collects the results of the threads. */
  folding({ refs, give }: FoldedParts, scopes: FoldScopes, onOver: () => void): Observable<Batch<Out>> {
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
        pumpInto(results, scope, subscriber);
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
    return this.results(groups, scope);
  }

  private async collected(reports: FoldReports, scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    return this.leaving(mergeCollected(await foldResults(reports)), scope);
  }

  /**
   * The results of the partitions, checked. A drained input has no results, because they would cover only some of the
   * records.
   */
  private leaving(results: Reader<unknown>, scope: TaskScope): Reader<Out | Skip | Rejected> {
    if (!scope.isDraining) return checkedReader<Out>(results as Reader<Out>, this.after(scope));
    void results.close();
    return readerOf<Out>([]);
  }

  private groups(scope: TaskScope): Groups<In, Key, State, Out> {
    const groups = new Groups(this.parts.aggregate, this.parts.maxKeys, scope.task);
    if (scope.state !== undefined) groups.keepIn(scope.state);
    return groups;
  }

  /**
   * The results of all groups. A drained input has no results; its groups stay in the durable state, if there is one.
   */
  private results(groups: Groups<In, Key, State, Out>, scope: TaskScope): Reader<Out | Skip | Rejected> {
    if (scope.isDraining) {
      if (scope.state === undefined) groups.clear();
      return readerOf<Out>([]);
    }
    const { outputs } = scope;
    if (outputs === undefined) return groups.results(this.after(scope));
    const results = groups.results(this.after(scope), (key) => {
      outputs.announce(identityOfKey(key));
    });
    return outputs.continuing(results, scope.past);
  }

  private after(scope: TaskScope): (result: Out | Skip) => Out | Skip {
    return checkOutput<Out>(this.parts.options.output, scope.task);
  }

  /** Threads fold parts of the input, and this thread merges them in order. */
  private inParts(ref: ModuleRef, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return operate((subscriber) => {
      const groups = this.groups(scope);
      const before = checkInput<unknown>(this.parts.options.input, scope.task);
      const { timeoutMs } = this.parts;
      const merge = (part: readonly (readonly [unknown, unknown])[]): void => {
        for (const [key, state] of part) groups.merge(key as Key, state as State);
      };
      const onOver = (): void => {
        pumpInto(this.results(groups, scope), scope, subscriber);
      };
      return new ExecutorFold({ ref, timeoutMs, before, how: { merge }, onOver }, scope, subscriber);
    });
  }

  /** The keys are divided among threads, which keep the states. The threads return only results. */
  private inPartitions(ref: ModuleRef, scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return operate((subscriber) => {
      const { partitionBy, timeoutMs, maxKeys } = this.parts;
      const keyOf = ((partitionBy === 'key' ? this.parts.aggregate.key : partitionBy) ?? (() => undefined)) as (
        record: unknown,
      ) => unknown;
      const partitions = scope.executor.size;
      const before = checkInput<unknown>(this.parts.options.input, scope.task);
      const partitionOf = (record: unknown): number => partitionOfKey(keyOf(record), partitions);
      const onOver = (workloads: readonly WorkloadPort[]): void => {
        const results = mergeCollected(workloads.map((workload) => workload.collect()));
        pumpInto(this.leaving(results, scope), scope, subscriber);
      };
      const how = { partitions, maxKeys, partitionOf };
      return new ExecutorFold({ ref, timeoutMs, before, how, onOver }, scope, subscriber);
    });
  }

  /** The keys are divided among threads, and this thread has their states too, because they are kept. */
  private keyed(
    ref: ModuleRef,
    partitionBy: 'key' | ((record: In) => string),
    scope: TaskScope,
  ): OperatorFunction<Batch<In>, Batch<Out>> {
    return operate((subscriber) => {
      const groups = this.groups(scope);
      const { timeoutMs, options, aggregate } = this.parts;
      const before = checkInput<In>(options.input, scope.task);
      const onOver = (): void => {
        pumpInto(this.results(groups, scope), scope, subscriber);
      };
      const { key } = aggregate;
      return foldKeyed({ ref, timeoutMs, before, key, partitionBy, groups, onOver }, scope, subscriber);
    });
  }

  private inline(scope: TaskScope): OperatorFunction<Batch<In>, Batch<Out>> {
    return operate((subscriber) => {
      const groups = this.groups(scope);
      const check = checkInput<In>(this.parts.options.input, scope.task);
      const add = (record: In): void => {
        groups.add(check(record));
      };
      const onOver = (): void => {
        pumpInto(this.results(groups, scope), scope, subscriber);
      };
      return foldInline({ add, onOver }, scope, subscriber);
    });
  }
}
