/**
 * Folds an aggregate whose keys are divided among partitions. All records of a key go to one partition, and its state
 * stays there until the end.
 *
 * Guarantees: the records of a key are folded in input order. Results leave in the order in which their keys first
 * appeared, as with one partition. The partition of a key is the same on each machine (murmur2).
 */
import type { Observable, Subscriber } from 'rxjs';
import { FatalTaskError, describeValue } from '../model/errors.js';
import type { Chunk, ChunkResult, JobClient, JobPort, ModuleRef } from '../execution/executor.js';
import { partitionOf } from '../execution/partition-hash.js';
import type { TaskScope } from './task-scope.js';
import type { Batch, Lineage } from '../model/record.js';
import { Intake } from './intake.js';
import { mergeCollected } from './merge-collected.js';
import type { Reader } from './reader.js';
import { RecordQueue } from './record-queue.js';

export interface FoldPartitionsOptions {
  readonly ref: ModuleRef;
  readonly partitions: number;
  /** The maximum number of keys per partition. */
  readonly maxKeys: number;
  readonly timeoutMs?: number | undefined;
  readonly before: (record: unknown) => unknown;
  /** The key that is hashed. */
  readonly keyOf: (record: unknown) => unknown;
  /** Called once, when everything is folded; `results` reads the results. */
  readonly onOver: (results: Reader<unknown>) => void;
}

const MAX_CHUNK = 1024;

/** Subscribes to the input. Errors go to the subscriber. */
export function foldPartitions(
  input$: Observable<Batch<unknown>>,
  options: FoldPartitionsOptions,
  scope: TaskScope,
  subscriber: Subscriber<never>,
): void {
  new PartitionedFold(options, scope, subscriber).connect(input$);
}

class PartitionedFold {
  private readonly options: FoldPartitionsOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<never>;
  private readonly intake: Intake;
  private readonly partitions: Partition[];
  private numbered = 0;
  private isInputOver = false;

  constructor(options: FoldPartitionsOptions, scope: TaskScope, subscriber: Subscriber<never>) {
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope);
    this.partitions = Array.from({ length: options.partitions }, (_, partition) => {
      return new Partition(partition, options, scope, {
        onSettled: () => {
          this.endIfDone();
        },
        onError: (error) => {
          subscriber.error(error);
        },
      });
    });
    scope.account.watch(() => ({
      queued: this.partitions.reduce((sum, { queued }) => sum + queued, this.intake.size),
      running: this.partitions.reduce((sum, { running }) => sum + running, 0),
      waiting: 0,
    }));
  }

  connect(input$: Observable<Batch<unknown>>): void {
    this.subscriber.add(() => {
      for (const { port } of this.partitions) port.close();
    });
    this.intake.connect(
      [input$],
      {
        onArrival: () => {
          this.distribute();
        },
        onInputOver: () => {
          this.isInputOver = true;
          this.endIfDone();
        },
      },
      this.subscriber,
    );
  }

  /** Sends each partition its records, in input order. */
  private distribute(): void {
    const { options, scope, partitions } = this;
    const parts = partitions.map(() => ({ numbers: [] as number[], records: [] as unknown[] }));
    while (this.intake.size > 0) {
      const arrival = this.intake.shift();
      const { lineage, value } = arrival;
      try {
        const record = options.before(value);
        const partition = partitionOfKey(options.keyOf(record), partitions.length);
        const number = this.numbered++;
        const part = parts[partition] as { numbers: number[]; records: unknown[] };
        part.numbers.push(number);
        part.records.push(record);
        (partitions[partition] as Partition).lineages.set(number, lineage);
      } catch (error) {
        scope.giveUp({ lineage, record: value, error, attempts: 1, takenFrom: scope.inputs[0]?.root });
        this.intake.letGo(arrival);
      }
    }
    parts.forEach(({ numbers, records }, partition) => {
      if (records.length > 0) (partitions[partition] as Partition).push(numbers, records);
    });
  }

  private endIfDone(): void {
    if (!this.isInputOver || this.subscriber.closed) return;
    if (this.partitions.some(({ queued, running }) => queued + running > 0)) return;
    this.isInputOver = false;
    this.options.onOver(mergeCollected(this.partitions.map(({ port }) => port.collect())));
  }
}

class Partition implements JobClient {
  readonly port: JobPort;
  /** The lineages of the records that are still in flight, by number. */
  readonly lineages = new Map<number, Lineage>();
  running = 0;
  private readonly scope: TaskScope;
  private readonly queue: RecordQueue;
  private readonly handlers: { readonly onSettled: () => void; readonly onError: (error: unknown) => void };

  constructor(
    partition: number,
    { ref, maxKeys, timeoutMs }: FoldPartitionsOptions,
    scope: TaskScope,
    handlers: { readonly onSettled: () => void; readonly onError: (error: unknown) => void },
  ) {
    const { task, runId, executor } = scope;
    const window = scope.inputs[0]?.root.window ?? MAX_CHUNK;
    this.scope = scope;
    this.handlers = handlers;
    this.queue = new RecordQueue(window);
    const job = { kind: 'partition', task, runId, ref, maxKeys, timeoutMs, partition } as const;
    this.port = executor.open(job, this, { maxChunk: Math.max(1, Math.min(MAX_CHUNK, Math.floor(window / 4))) });
  }

  get queued(): number {
    return this.queue.size;
  }

  push(numbers: readonly number[], records: readonly unknown[]): void {
    this.queue.push(numbers, records);
    this.port.wake();
  }

  take(max: number): Chunk | undefined {
    const chunk = this.queue.take(max);
    this.running += chunk?.records.length ?? 0;
    return chunk;
  }

  deliver({ lineages: numbers, records }: Chunk, { endings, elapsedMs }: ChunkResult): void {
    const { scope } = this;
    try {
      const lineages = numbers.map((number) => this.lineages.get(number) as Lineage);
      for (const number of numbers) this.lineages.delete(number);
      this.running -= records.length;
      for (const { index, error, attempts = 1 } of endings) {
        scope.giveUp({
          lineage: lineages[index] as Lineage,
          record: records[index],
          error,
          attempts,
          takenFrom: scope.inputs[0]?.root,
        });
      }
      const [elapsed] = elapsedMs;
      if (elapsed !== undefined) {
        scope.sampleLatency(elapsed / records.length);
        scope.account.meter.pooled(elapsed);
      }
      scope.account.touch(scope.clock.monotonicMs());
      const edge = scope.inputs[0];
      edge?.root.leave(edge.exit, lineages);
      this.handlers.onSettled();
    } catch (error) {
      this.handlers.onError(error);
    }
  }

  fail(error: unknown): void {
    this.handlers.onError(error);
  }
}

/** Hashes keys that are not strings by their text. A record without a key belongs to the first partition. */
function partitionOfKey(key: unknown, partitions: number): number {
  if (key === undefined) return 0;
  if (typeof key === 'string' || key instanceof Uint8Array) return partitionOf(key, partitions);
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean' || key === null) {
    return partitionOf(String(key), partitions);
  }
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected a key that can be hashed (a string, a number or bytes), got ${describeValue(key)}. Give \`partitionBy\` a function that makes a string`,
  );
}
