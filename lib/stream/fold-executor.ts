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
import type { Chunk, ChunkResult, JobPort, ModuleRef } from '../execution/executor.js';
import { OpenJob, type JobOwner } from '../execution/open-job.js';
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
  /** Called once, when all records are folded, with the jobs: one, or one per partition. */
  readonly onOver: (jobs: readonly JobPort[]) => void;
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
  private readonly lanes: readonly Lane[];
  /** The number of records that were distributed. */
  private distributed = 0;
  private lanesOver = 0;

  constructor(options: FoldExecutorOptions, scope: TaskScope, subscriber: Subscriber<never>) {
    this.options = options;
    this.scope = scope;
    this.intake = new Intake(scope, subscriber);
    const count = 'merge' in options.how ? 1 : options.how.partitions;
    const onOver = (): void => {
      this.laneOver();
    };
    const onError = (error: unknown): void => {
      subscriber.error(error);
    };
    this.lanes = Array.from({ length: count }, (_, lane) => new Lane(lane, options, scope, { onOver, onError }));
    scope.account.watch(() => ({
      queued: this.intake.size + this.sum(({ queued }) => queued),
      running: this.sum(({ job, unmerged }) => job.running + unmerged),
      waiting: 0,
    }));
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.distribute();
  }

  endInput(): void {
    for (const { job } of this.lanes) job.endInput();
  }

  stop(): void {
    for (const { job } of this.lanes) job.close();
  }

  /** Queues the records that have arrived, in input order. */
  private distribute(): void {
    const { options, scope, lanes, intake } = this;
    const { before, how } = options;
    const parts = lanes.map(() => ({ lineages: [] as Lineage[], records: [] as unknown[], places: [] as number[] }));
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
    parts.forEach(({ lineages, records, places }, lane) => {
      if (records.length > 0) (lanes[lane] as Lane).push(lineages, records, places);
    });
  }

  private laneOver(): void {
    if (++this.lanesOver === this.lanes.length) this.options.onOver(this.lanes.map(({ job }) => job.port));
  }

  private sum(count: (lane: Lane) => number): number {
    return this.lanes.reduce((sum, lane) => sum + count(lane), 0);
  }
}

/** The records of one job. */
class Lane implements JobOwner {
  readonly job: OpenJob;
  /** The number of folded records that wait for an earlier part. */
  unmerged = 0;
  private readonly how: Parts | Partitions;
  private readonly scope: TaskScope;
  private readonly queue: RecordQueue;
  private readonly order = new NumberOrder<readonly [Chunk, ChunkResult]>();
  private readonly handlers: { readonly onOver: () => void; readonly onError: (error: unknown) => void };

  constructor(
    lane: number,
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
    const job =
      'merge' in how
        ? ({ ...head, kind: 'fold' } as const)
        : ({ ...head, kind: 'partition', partition: lane, maxKeys: how.maxKeys } as const);
    this.job = new OpenJob(executor, job, this, { window });
  }

  get queued(): number {
    return this.queue.size;
  }

  push(lineages: readonly Lineage[], records: readonly unknown[], places: readonly number[]): void {
    this.queue.push(lineages, records, 'merge' in this.how ? undefined : places);
    this.job.wake();
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
