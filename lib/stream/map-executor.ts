/**
 * Runs the functions of one or more cpu tasks over records, in the executor of the run.
 *
 * One operator serves a single task and a chain of adjacent tasks that were fused into one hop. Records are sent once,
 * pass all functions, and return once. The accounts are those of separate tasks.
 *
 * Guarantees: there is one output slot per input slot, by lineage. The queue never exceeds the window. A record fails
 * in the task that threw, by the policy of that task. Outputs of a task in the middle are emitted to its observers, and
 * cost nothing if there are none. With `ordered`, outputs leave in input order.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { ArrivalTimes } from './arrival-times.js';
import type { Chunk, ChunkResult, Ending, MapWorkload, HopWork } from '../execution/executor.js';
import { OpenWorkload, type WorkloadOwner } from '../execution/open-workload.js';
import type { TaskScope } from './task-scope.js';
import { Batch, BatchBuilder, GONE, type Gone, type Lineage, type Skip } from '../model/record.js';
import { batchOf, endRecord } from './chunk-endings.js';
import { operate, type Engine } from './operate.js';
import { RecordQueue } from './record-queue.js';
import { ArrivalOrder } from './arrival-order.js';

/** One task of the hop. */
export interface HopTask {
  readonly scope: TaskScope;
  readonly member: HopWork;
  /** For a task before the last: the destination of its outputs, and whether it is observed. */
  readonly tap?: { readonly isObserved: () => boolean; readonly emit: (batch: Batch<unknown>) => void };
}

export interface MapExecutorOptions<In, Out> {
  readonly ordered?: boolean;
  readonly timeoutMs?: number | undefined;
  readonly transfer?: ((record: In) => readonly object[]) | undefined;
  /** Checks a record before it is sent. A throw ends the record. */
  readonly before?: ((record: In) => In) | undefined;
  /** Checks each output. */
  readonly after?: ((output: Out | Skip) => Out | Skip) | undefined;
}

export function mapExecutor<In, Out>(
  tasks: readonly [HopTask, ...HopTask[]],
  options: MapExecutorOptions<In, Out>,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return operate((subscriber) => new Hop<In, Out>(tasks, options, subscriber));
}

class Hop<In, Out> implements Engine<In>, WorkloadOwner {
  private readonly tasks: readonly HopTask[];
  private readonly first: TaskScope;
  private readonly last: TaskScope;
  private readonly options: MapExecutorOptions<In, Out>;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly queue: RecordQueue;
  private readonly arrivals: ArrivalTimes;
  private readonly order: ArrivalOrder<Out> | undefined;
  private readonly workload: OpenWorkload;
  private waiting = 0;

  constructor(
    tasks: readonly [HopTask, ...HopTask[]],
    options: MapExecutorOptions<In, Out>,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    const [{ scope }] = tasks;
    const { window, mostInFlight } = scope.root;
    this.tasks = tasks;
    this.first = scope;
    this.last = (tasks.at(-1) ?? tasks[0]).scope;
    this.options = options;
    this.subscriber = subscriber;
    this.queue = new RecordQueue(mostInFlight);
    this.arrivals = new ArrivalTimes(window);
    this.order = options.ordered === true ? new ArrivalOrder(mostInFlight) : undefined;
    const workload: MapWorkload = {
      kind: 'map',
      runId: scope.runId,
      seed: Math.floor(scope.random() * 2 ** 31),
      members: tasks.map(({ member }) => member),
      timeoutMs: options.timeoutMs,
    };
    this.workload = new OpenWorkload(scope.executor, workload, this, { window, transfer: options.transfer });
    this.watch();
  }

  get queued(): number {
    return this.queue.size;
  }

  get wantsBetween(): boolean {
    return this.tasks.some(({ tap }) => tap?.isObserved() === true);
  }

  accept(batch: Batch<In>): void {
    this.first.account.in += batch.length - batch.gone;
    if (this.order !== undefined) for (const lineage of batch.lineages) this.order.expect(lineage);
    const { before } = this.options;
    if (batch.gone === 0 && before === undefined) this.enqueue(batch.lineages, batch.values);
    else this.sort(batch, before);
    this.workload.wake();
  }

  endInput(): void {
    this.workload.endInput();
  }

  stop(): void {
    this.workload.close();
    this.queue.clear();
  }

  next(max: number, from: number): Chunk | undefined {
    if (this.queue.size > 0 && !this.first.mayStart()) return undefined;
    const chunk = this.queue.remove(max, from);
    if (chunk !== undefined) {
      const nowMs = this.first.clock.monotonicMs();
      this.first.account.touch(nowMs);
      this.first.sampleQueueing(nowMs - this.arrivals.of(from));
    }
    return chunk;
  }

  end(): void {
    this.subscriber.complete();
  }

  fail(error: unknown): void {
    this.subscriber.error(error);
  }

  private enqueue(lineages: readonly Lineage[], records: readonly unknown[]): void {
    this.arrivals.arrive(records.length, this.first.clock.monotonicMs());
    this.queue.push(lineages, records);
  }

  /** `GONE` slots and records that do not fit the schema are not sent. They leave at once. */
  private sort({ lineages, values }: Batch<In>, before: ((record: In) => In) | undefined): void {
    const going: { lineages: Lineage[]; records: unknown[] } = { lineages: [], records: [] };
    const staying = new BatchBuilder<Out>();
    let fallbacks = 0;
    values.forEach((value, i) => {
      const lineage = lineages[i] as Lineage;
      if (value === GONE) {
        staying.push(lineage, GONE);
        return;
      }
      try {
        going.records.push(before === undefined ? value : before(value));
        going.lineages.push(lineage);
      } catch (error) {
        const left = this.first.giveUp({ lineage, record: value, error, attempts: 1 }) as Out | Gone;
        if (left !== GONE) fallbacks++;
        staying.push(lineage, left);
      }
    });
    if (going.records.length > 0) this.enqueue(going.lineages, going.records);
    if (staying.length === 0) return;
    this.waiting += fallbacks;
    this.emit(staying.build());
  }

  settle(chunk: Chunk, { outputs, endings, between, elapsedMs }: ChunkResult): void {
    const { lineages, records } = chunk;
    let alive = records.length;
    let at = 0;
    const fallbacks: { index: number; output: unknown }[] = [];
    for (let member = 0; member < this.tasks.length; member++) {
      const { scope, tap } = this.tasks[member] as HopTask;
      const isLast = member === this.tasks.length - 1;
      if (member > 0) scope.account.in += alive;
      for (; at < endings.length && (endings[at] as Ending).member === member; at++) {
        const ending = endings[at] as Ending;
        alive--;
        const left = endRecord(scope, chunk, ending);
        if (left !== GONE) fallbacks.push({ index: ending.index, output: left });
      }
      this.measure(scope, elapsedMs[member], records.length);
      if (isLast) continue;
      scope.account.out += alive;
      const made = between?.[member];
      if (made !== undefined && tap !== undefined) tap.emit(batchOf(lineages, made, endings.slice(0, at)));
    }
    const batch = batchOf<Out>(lineages, outputs, endings, fallbacks);
    this.waiting += batch.length - batch.gone;
    const { after } = this.options;
    this.emit(after === undefined ? batch : this.check(batch, after, new Set(fallbacks.map(({ index }) => index))));
  }

  /** Ends outputs that do not fit the schema. Fallbacks are not checked. */
  private check(
    batch: Batch<Out>,
    after: (output: Out | Skip) => Out | Skip,
    fallbacks: ReadonlySet<number>,
  ): Batch<Out> {
    const checked = new BatchBuilder<Out>();
    batch.values.forEach((value, i) => {
      const lineage = batch.lineages[i] as Lineage;
      let output: Out | Gone = value;
      if (value !== GONE && !fallbacks.has(i)) {
        try {
          output = after(value) as Out;
        } catch (error) {
          output = this.last.giveUp({ lineage, record: value, error, attempts: 1 }) as Out | Gone;
          if (output === GONE) this.waiting--;
        }
      }
      checked.push(lineage, output);
    });
    return checked.build();
  }

  private emit(batch: Batch<Out>): void {
    let leaving = batch;
    if (this.order !== undefined) {
      const next = new BatchBuilder<Out>();
      batch.values.forEach((value, i) => this.order?.release(batch.lineages[i] as Lineage, value, next));
      leaving = next.build();
      if (leaving.length === 0) return;
    }
    const count = leaving.length - leaving.gone;
    this.waiting -= count;
    this.last.account.out += count;
    this.subscriber.next(leaving);
  }

  private measure(scope: TaskScope, elapsedMs: number | undefined, count: number): void {
    const { account, clock } = scope;
    const nowMs = clock.monotonicMs();
    if (elapsedMs !== undefined) {
      scope.sampleLatency(elapsedMs / count);
      account.firstAtMs ??= nowMs - elapsedMs;
      if (scope.executor.size > 0) account.meter.pooled(elapsedMs);
      else account.meter.looped(elapsedMs);
    }
    account.touch(nowMs);
  }

  private watch(): void {
    const atEntry = (): { queued: number; running: number; waiting: number } => ({
      queued: this.queue.size,
      running: this.workload.running,
      waiting: 0,
    });
    if (this.first === this.last) {
      this.first.account.watch(() => ({ ...atEntry(), waiting: this.waiting }));
      return;
    }
    this.first.account.watch(atEntry);
    this.last.account.watch(() => ({ queued: 0, running: 0, waiting: this.waiting }));
  }
}
