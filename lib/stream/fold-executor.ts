/**
 * Folds the records of an aggregate in the executor, in one of two ways:
 *
 * - in parts: any thread folds any chunk of the input to partial states, which are merged in the order of their
 *   records;
 * - in partitions: one thread folds all records of a key and holds its state until the end.
 *
 * Guarantees: the result equals one fold in input order. In parts, a thread may die, and parts may return in any order.
 * A record stays in flight until it is folded, so the window bounds everything.
 */
import type { Subscriber } from 'rxjs';
import type { Chunk, ChunkResult, WorkloadPort, ModuleRef } from '../execution/executor.js';
import { OpenWorkload, type WorkloadOwner } from '../execution/open-workload.js';
import type { TaskScope } from './task-scope.js';
import type { Batch, Lineage } from '../model/record.js';
import { NumberOrder } from './number-order.js';
import { Intake } from './intake.js';
import type { Engine } from './operate.js';
import { RecordQueue } from './record-queue.js';

/** A fold in parts. */
interface Parts {
  /** Merges the partial states of one part: pairs of key and state, in input order. */
  readonly merge: (part: readonly (readonly [unknown, unknown])[]) => void;
}

/** A fold in partitions. */
interface Partitions {
  readonly partitions: number;
  /** The maximum number of keys per partition. */
  readonly maxKeys: number;
  /** The partition of a record. A throw ends the record. */
  readonly partitionOf: (record: unknown) => number;
}

export interface FoldExecutorOptions {
  readonly ref: ModuleRef;
  readonly timeoutMs?: number | undefined;
  /** Checks a record before it is sent. A throw ends the record. */
  readonly before: (record: unknown) => unknown;
  readonly how: Parts | Partitions;
  /** Called once, when all records are folded, with the workloads: one, or one per partition. */
  readonly onOver: (workloads: readonly WorkloadPort[]) => void;
}

/**
 * Ends the records of a folded chunk: applies the failure policy to the records that failed, and lets all records leave
 * their root.
 */
export function leaveFolded(scope: TaskScope, chunk: Chunk, { endings, elapsedMs }: ChunkResult): void {
  const { lineages, records } = chunk;
  const [edge] = scope.inputs;
  for (const { index, error, attempts = 1 } of endings) {
    const lineage = lineages[index] as Lineage;
    scope.giveUp({ lineage, record: records[index], error, attempts, takenFrom: edge?.root });
  }
  const [elapsed] = elapsedMs;
  if (elapsed !== undefined) {
    scope.sampleLatency(elapsed / records.length);
    scope.account.meter.pooled(elapsed);
  }
  scope.account.touch(scope.clock.monotonicMs());
  edge?.root.leave(edge.exit, lineages);
}

/** Errors of the executor go to the subscriber. */
export class ExecutorFold implements Engine<unknown> {
  private readonly options: FoldExecutorOptions;
  private readonly scope: TaskScope;
  private readonly intake: Intake;
  private readonly feeds: readonly Feed[];
  /** The number of records that were distributed. */
  private distributed = 0;
  private feedsOver = 0;

  constructor(options: FoldExecutorOptions, scope: TaskScope, subscriber: Subscriber<never>) {
    this.options = options;
    this.scope = scope;
    this.intake = new Intake(scope, subscriber);
    const count = 'merge' in options.how ? 1 : options.how.partitions;
    const onOver = (): void => {
      this.feedOver();
    };
    const onError = (error: unknown): void => {
      subscriber.error(error);
    };
    this.feeds = Array.from(
      { length: count },
      (_, partition) => new Feed(partition, options, scope, { onOver, onError }),
    );
    scope.account.watch(() => ({
      queued: this.intake.size + this.sum(({ queued }) => queued),
      running: this.sum(({ workload, unmerged }) => workload.running + unmerged),
      waiting: 0,
    }));
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.distribute();
  }

  endInput(): void {
    for (const { workload } of this.feeds) workload.endInput();
  }

  stop(): void {
    for (const { workload } of this.feeds) workload.close();
  }

  /** Queues the records that have arrived, in input order. */
  private distribute(): void {
    const { options, scope, feeds, intake } = this;
    const { before, how } = options;
    const parts = feeds.map(() => ({ lineages: [] as Lineage[], records: [] as unknown[], places: [] as number[] }));
    while (intake.size > 0) {
      const arrival = intake.shift();
      const { lineage, value } = arrival;
      try {
        const record = before(value);
        const part = parts['merge' in how ? 0 : how.partitionOf(record)] as (typeof parts)[number];
        part.lineages.push(lineage);
        part.records.push(record);
        part.places.push(this.distributed++);
      } catch (error) {
        scope.giveUp({ lineage, record: value, error, attempts: 1, takenFrom: scope.inputs[0]?.root });
        intake.letGo(arrival);
      }
    }
    parts.forEach(({ lineages, records, places }, feed) => {
      if (records.length > 0) (feeds[feed] as Feed).push(lineages, records, places);
    });
  }

  private feedOver(): void {
    if (++this.feedsOver === this.feeds.length) this.options.onOver(this.feeds.map(({ workload }) => workload.port));
  }

  private sum(count: (feed: Feed) => number): number {
    return this.feeds.reduce((sum, feed) => sum + count(feed), 0);
  }
}

/** The records of one workload. */
class Feed implements WorkloadOwner {
  readonly workload: OpenWorkload;
  /** The number of folded records that wait for an earlier part. */
  unmerged = 0;
  private readonly how: Parts | Partitions;
  private readonly scope: TaskScope;
  private readonly queue: RecordQueue;
  private readonly order = new NumberOrder<readonly [Chunk, ChunkResult]>();
  private readonly handlers: { readonly onOver: () => void; readonly onError: (error: unknown) => void };

  constructor(
    partition: number,
    { ref, timeoutMs, how }: FoldExecutorOptions,
    scope: TaskScope,
    handlers: { readonly onOver: () => void; readonly onError: (error: unknown) => void },
  ) {
    const { task, runId, executor } = scope;
    const { window = 1, mostInFlight = () => 1 } = scope.inputs[0]?.root ?? {};
    this.how = how;
    this.scope = scope;
    this.handlers = handlers;
    this.queue = new RecordQueue(mostInFlight);
    const head = { task, runId, ref, timeoutMs };
    const workload =
      'merge' in how
        ? ({ ...head, kind: 'fold' } as const)
        : ({ ...head, kind: 'partition', partition, maxKeys: how.maxKeys } as const);
    this.workload = new OpenWorkload(executor, workload, this, { window });
  }

  get queued(): number {
    return this.queue.size;
  }

  push(lineages: readonly Lineage[], records: readonly unknown[], places: readonly number[]): void {
    this.queue.push(lineages, records, 'merge' in this.how ? undefined : places);
    this.workload.wake();
  }

  next(max: number, from: number): Chunk | undefined {
    return this.queue.remove(max, from);
  }

  settle(chunk: Chunk, result: ChunkResult): void {
    const { how, order, scope } = this;
    if (!('merge' in how)) {
      leaveFolded(scope, chunk, result);
      return;
    }
    this.unmerged += chunk.records.length;
    order.pass(
      chunk.from,
      [chunk, result],
      ([{ records }]) => records.length,
      ([part, { outputs, ...rest }]) => {
        this.unmerged -= part.records.length;
        // A record that could not be sent has no partial state.
        how.merge(outputs.filter((pair) => pair !== undefined) as (readonly [unknown, unknown])[]);
        leaveFolded(scope, part, { outputs, ...rest });
      },
    );
  }

  end(): void {
    this.handlers.onOver();
  }

  fail(error: unknown): void {
    this.handlers.onError(error);
  }
}
