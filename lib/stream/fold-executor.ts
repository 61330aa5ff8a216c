/**
 * Folds the records of an aggregate in the executor, part by part: each chunk becomes a partial aggregate, and parts are
 * merged in the order of their records.
 *
 * Guarantees: the merged result equals one fold in input order, even if parts return in another order or a thread dies. A
 * record stays in flight until its part is merged, so the window bounds everything.
 */
import type { Observable, Subscriber } from 'rxjs';
import type { Chunk, ChunkResult, JobClient, JobPort, ModuleRef } from '../execution/executor.js';
import type { TaskScope } from './task-scope.js';
import type { Batch, Lineage } from '../model/record.js';
import { InOrder } from './in-order.js';
import { Intake } from './intake.js';

export interface FoldExecutorOptions {
  readonly ref: ModuleRef;
  readonly timeoutMs?: number | undefined;
  /** Checks a record before it is sent. A throw ends the record. */
  readonly before: (record: unknown) => unknown;
  /** Merges the partial states of one part: pairs of key and state, in input order. */
  readonly merge: (part: readonly (readonly [unknown, unknown])[]) => void;
  /** Called once, when everything is merged. */
  readonly onOver: () => void;
}

const MAX_CHUNK = 1024;

/** Subscribes to the input. Errors go to the subscriber. */
export function foldExecutor(
  input$: Observable<Batch<unknown>>,
  options: FoldExecutorOptions,
  scope: TaskScope,
  subscriber: Subscriber<never>,
): void {
  const fold = new PartFold(options, scope, subscriber);
  fold.connect(input$);
}

class PartFold implements JobClient {
  private readonly options: FoldExecutorOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<never>;
  private readonly intake: Intake;
  private readonly port: JobPort;
  private readonly order = new InOrder<{ readonly chunk: Chunk; readonly result: ChunkResult }>();
  private running = 0;
  private taken = 0;
  isInputOver = false;

  constructor(options: FoldExecutorOptions, scope: TaskScope, subscriber: Subscriber<never>) {
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope);
    scope.account.watch(() => ({ queued: this.intake.size, running: this.running, waiting: 0 }));
    const { executor, task, runId } = scope;
    const window = scope.inputs[0]?.root.window ?? MAX_CHUNK;
    this.port = executor.open({ kind: 'fold', task, runId, ref: options.ref, timeoutMs: options.timeoutMs }, this, {
      maxChunk: Math.max(1, Math.min(MAX_CHUNK, Math.floor(window / (2 * Math.max(1, executor.size))))),
    });
  }

  connect(input$: Observable<Batch<unknown>>): void {
    const { subscriber } = this;
    subscriber.add(() => {
      this.port.close();
    });
    this.intake.connect(
      [input$],
      {
        onArrival: () => {
          this.port.wake();
        },
        onInputOver: () => {
          this.isInputOver = true;
          this.endIfDone();
        },
      },
      subscriber,
    );
  }

  get queued(): number {
    return this.intake.size;
  }

  take(max: number): Chunk | undefined {
    const from = this.taken;
    const lineages: Lineage[] = [];
    const records: unknown[] = [];
    while (records.length < max && this.intake.size > 0) {
      const arrival = this.intake.shift();
      const { lineage, value } = arrival;
      try {
        records.push(this.options.before(value));
        lineages.push(lineage);
      } catch (error) {
        this.scope.giveUp({ lineage, record: value, error, attempts: 1, takenFrom: this.scope.inputs[0]?.root });
        this.intake.letGo(arrival);
      }
    }
    if (records.length === 0) {
      // If the last records did not fit their schema, no result returns that could end the fold.
      this.endIfDone();
      return undefined;
    }
    this.taken += records.length;
    this.running += records.length;
    return { from, lineages, records };
  }

  deliver(chunk: Chunk, result: ChunkResult): void {
    try {
      this.order.hold(chunk.from, { chunk, result });
      while (this.order.isReady) {
        const part = this.order.release();
        this.order.advance(part.chunk.records.length);
        this.merge(part.chunk, part.result);
      }
      this.endIfDone();
    } catch (error) {
      this.subscriber.error(error);
    }
  }

  fail(error: unknown): void {
    this.subscriber.error(error);
  }

  private merge({ lineages, records }: Chunk, { outputs, endings, elapsedMs }: ChunkResult): void {
    const { scope } = this;
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
    // A record that could not be sent has no partial state.
    this.options.merge(outputs.filter((pair) => pair !== undefined) as (readonly [unknown, unknown])[]);
    const [elapsed] = elapsedMs;
    if (elapsed !== undefined) {
      scope.sampleLatency(elapsed / records.length);
      scope.account.meter.pooled(elapsed);
    }
    scope.account.touch(scope.clock.monotonicMs());
    const edge = scope.inputs[0];
    edge?.root.leave(edge.exit, lineages);
  }

  private endIfDone(): void {
    if (!this.isInputOver || this.intake.size > 0 || this.running > 0 || this.subscriber.closed) return;
    this.isInputOver = false;
    this.port.close();
    this.options.onOver();
  }
}
