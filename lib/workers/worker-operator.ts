/**
 * An RxJS operator that runs a function of a module in worker threads, over Observables or anything that can be
 * iterated, without a workflow or a run.
 *
 * Guarantees: an iterable is pulled only as fast as threads work. An Observable cannot be paused, so it has a bounded
 * buffer with a named policy. Unsubscribing ends the threads, including busy ones, and nothing is emitted after it.
 * `complete` and `error` come after the threads have ended. Errors keep their class, code, cause and stack.
 */
import { Observable, Subscription, isObservable, type Subscriber } from 'rxjs';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { Chunk, ChunkResult, Executor, MapWorkload, ModuleRef, ThreadLimits } from '../execution/executor.js';
import type { WorkloadOwner, OpenWorkload } from '../execution/open-workload.js';
import { Skip } from '../model/record.js';
import {
  anObject,
  anything,
  callback,
  checkOptions,
  count,
  either,
  flag,
  oneOf,
  type OptionRules,
} from '../options/options.js';
import { mayNotRun, referTo, type Threadable } from '../execution/thread-function.js';
import { isPromiseLike } from '../model/awaitable.js';
import { Outbox, type OverflowPolicy } from '../stream/outbox.js';
import { readerOf, type Pullable, type Reader } from '../stream/reader.js';
import type { NumberOrder } from '../stream/number-order.js';

/** An `OperatorFunction` that also accepts iterables. */
export type WorkerOperator<In, Out> = (input: Observable<In> | Pullable<In>) => Observable<Out>;

/** Options of `workerOperator`. */
export interface WorkerOperatorOptions<In, Out> {
  /** The number of threads. Default 'auto', one per core; 0 runs inline. */
  readonly threads?: number | 'auto';
  /** Limits of each thread, in MiB. */
  readonly limits?: ThreadLimits;
  /** Whether results are emitted in input order. Default true. */
  readonly ordered?: boolean;
  /** The most records in the operator: in threads, or finished and waiting for their turn. Default 2,048. */
  readonly window?: number;
  /** The most records of an Observable that wait outside of the window. Default 65,536. */
  readonly buffer?: number;
  /** The policy for a record that arrives while the buffer is full. Default 'error'. */
  readonly overflow?: OverflowPolicy;
  /** The time limit per record in milliseconds; its thread is stopped at the limit. Default: no limit. */
  readonly timeoutMs?: number;
  /** The parts of a record that are moved to the thread instead of copied. */
  readonly transfer?: (record: In) => readonly object[];
  /**
   * Receives each record that fails, and the others continue. Default: the first failure ends the Observable with its
   * error.
   */
  readonly onFailure?: (error: unknown, record: In) => void;
  /** Not used at run time: fixes the type of the outputs. */
  readonly emits?: (output: Out) => void;
}

const RULES: OptionRules<WorkerOperatorOptions<never, never>> = {
  threads: either(count(0), oneOf('auto')),
  limits: anObject,
  ordered: flag,
  window: count(),
  buffer: count(),
  overflow: oneOf('error', 'drop-newest', 'drop-oldest'),
  timeoutMs: count(),
  transfer: callback,
  onFailure: callback,
  emits: anything,
};

const DEFAULT_WINDOW = 2048;
const DEFAULT_BUFFER = 65_536;

/**
 * Runs a function in worker threads. The function is tagged with its module (`threadFunction`, `threadFactory`), or
 * given as a module URL and the name of an export. `skip(reason)` drops a record. Throws MILLRACE_INVALID_OPTION if the
 * work has no module, or an option does not fit.
 *
 * @example
 * from(images).pipe(workerOperator(thumbnail)).subscribe(save);
 * workerOperator(thumbnail, { threads: 4 })(readImages()).subscribe(save);        // pulls
 */
export function workerOperator<In, Out>(
  work:
    Threadable<(record: In, ...rest: never[]) => Out> | ModuleRef | { readonly module: URL; readonly export: string },
  options: WorkerOperatorOptions<In, Exclude<Out, Skip>> = {},
): WorkerOperator<In, Exclude<Out, Skip>> {
  const ref = referTo(work, 'a workerOperator');
  checkOptions('a workerOperator', options, RULES);
  return (input) =>
    new Observable((subscriber) => {
      // A thread that loads this module for the function must not start threads of its own.
      if (mayNotRun()) return undefined;
      const bridge = new Bridge<In, Exclude<Out, Skip>>(ref, options, subscriber);
      bridge.connect(input);
      void bridge.begin();
      return () => {
        bridge.stop();
      };
    });
}

/** The results of one chunk, and the number of records they belong to. */
interface Finished<Out> {
  readonly results: readonly Out[];
  readonly count: number;
}

/** One subscription: connects the input, an executor and the subscriber. */
class Bridge<In, Out> implements WorkloadOwner {
  private readonly options: WorkerOperatorOptions<In, Out>;
  private readonly subscriber: Subscriber<Out>;
  private readonly ref: ModuleRef;
  private executor: Executor | undefined;
  private workload: OpenWorkload | undefined;
  private readonly window: number;
  private readonly subscription = new Subscription();
  private reader: Reader<In | Skip> = readerOf<In>([]);
  /** Records that were read and wait for the executor. */
  private waiting: In[] = [];
  /** Restores the input order; undefined until the executor is open. */
  private order: NumberOrder<Finished<Out>> | undefined;
  /** The number of records that were sent, or wait for their turn to be emitted. */
  private outstanding = 0;
  private isReading = false;
  private isStopped = false;

  constructor(ref: ModuleRef, options: WorkerOperatorOptions<In, Out>, subscriber: Subscriber<Out>) {
    this.ref = ref;
    this.options = options;
    this.subscriber = subscriber;
    this.window = options.window ?? DEFAULT_WINDOW;
  }

  /** Opens the executor; until then records wait in the buffer. Never rejects. */
  async begin(): Promise<void> {
    const { threads = 'auto', limits = {}, timeoutMs, transfer } = this.options;
    try {
      const [executor, { NumberOrder: Order }, { OpenWorkload: Workload }] = await Promise.all([
        openExecutor(threads, limits),
        import('../stream/number-order.js'),
        import('../execution/open-workload.js'),
      ]);
      if (this.isStopped) {
        await executor.close();
        return;
      }
      const members = [{ task: this.ref.export, ref: this.ref }];
      const seed = Math.floor(Math.random() * 2 ** 31);
      const workload: MapWorkload = { kind: 'map', runId: 'workerOperator', seed, members, timeoutMs };
      this.order = new Order();
      this.executor = executor;
      this.workload = new Workload(executor, workload, this, { window: this.window, transfer });
      this.pull();
    } catch (error) {
      this.finish(error, true);
    }
  }

  connect(input: Observable<In> | Pullable<In>): void {
    if (!isObservable(input)) {
      this.reader = readerOf(input);
      return;
    }
    const { buffer = DEFAULT_BUFFER, overflow = 'error' } = this.options;
    const outbox = new Outbox<In>({ capacity: buffer, overflow, name: 'workerOperator' });
    this.reader = outbox;
    this.subscription.add(
      input.subscribe({
        next: (record) => {
          outbox.push(record);
        },
        error: (error: unknown) => {
          this.finish(error, true);
        },
        complete: () => {
          outbox.complete();
        },
      }),
    );
  }

  get queued(): number {
    return this.waiting.length;
  }

  next(max: number, from: number): Chunk | undefined {
    if (this.waiting.length === 0) return undefined;
    const records = this.waiting.length <= max ? this.waiting : this.waiting.slice(0, max);
    this.waiting = this.waiting.length <= max ? [] : this.waiting.slice(max);
    this.outstanding += records.length;
    return { from, lineages: records.map((_, index) => from + index), records };
  }

  settle(chunk: Chunk, { outputs, endings }: ChunkResult): void {
    for (const { index, skip, error } of endings) {
      if (skip !== undefined) continue;
      if (this.options.onFailure === undefined) {
        this.finish(asError(error), true);
        return;
      }
      this.options.onFailure(error, chunk.records[index] as In);
    }
    const ended = endings.length === 0 ? undefined : new Set(endings.map(({ index }) => index));
    const results = (ended === undefined ? outputs : outputs.filter((_, index) => !ended.has(index))) as readonly Out[];
    const { length: count } = chunk.records;
    if (this.options.ordered === false) this.emit({ results, count });
    else {
      this.order?.pass(
        chunk.from,
        { results, count },
        (finished) => finished.count,
        (finished) => {
          this.emit(finished);
        },
      );
    }
    this.pull();
  }

  end(): void {
    this.finish(undefined, false);
  }

  fail(error: unknown): void {
    this.finish(asError(error), true);
  }

  stop(): void {
    this.isStopped = true;
    this.subscription.unsubscribe();
    this.workload?.close();
    void this.reader.close();
    this.waiting = [];
    void this.executor?.close();
  }

  private emit({ results, count }: Finished<Out>): void {
    this.outstanding -= count;
    for (const result of results) this.subscriber.next(result);
  }

  /** Reads while the window has room. Records count until they are emitted. */
  private pull(): void {
    const { workload } = this;
    if (this.isReading || workload === undefined) return;
    try {
      while (!this.isStopped && !workload.isInputOver && this.room() > 0) {
        const items = this.reader.read(this.room());
        if (isPromiseLike(items)) {
          this.await(items, workload);
          break;
        }
        this.accept(items, workload);
      }
    } catch (error) {
      this.finish(error, true);
      return;
    }
    if (this.waiting.length > 0) workload.wake();
  }

  private await(items: PromiseLike<readonly (In | Skip)[] | null>, workload: OpenWorkload): void {
    this.isReading = true;
    items.then(
      (arrived) => {
        this.isReading = false;
        if (this.isStopped) return;
        this.accept(arrived, workload);
        this.pull();
      },
      (error: unknown) => {
        this.isReading = false;
        this.finish(error, true);
      },
    );
  }

  private accept(items: readonly (In | Skip)[] | null, workload: OpenWorkload): void {
    if (items === null) {
      workload.endInput();
      return;
    }
    // Records that the overflow policy dropped arrive as Skip. This operator has no counts for them.
    for (const item of items) if (!(item instanceof Skip)) this.waiting.push(item);
  }

  private room(): number {
    return this.window - this.outstanding - this.waiting.length;
  }

  /** Ends the threads before the Observable, so that no thread is left when the subscriber learns of the end. */
  private finish(error: unknown, isError: boolean): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.subscription.unsubscribe();
    this.workload?.close();
    void this.reader.close();
    void (this.executor?.close() ?? Promise.resolve()).then(() => {
      if (isError) this.subscriber.error(error);
      else this.subscriber.complete();
    });
  }
}

/** Turns a thrown value such as `undefined` into an error, so that the subscriber receives a description. */
function asError(thrown: unknown): unknown {
  if (thrown instanceof Error) return thrown;
  return new MillraceError('MILLRACE_TASK', describeThrown(thrown), { cause: thrown });
}

/** Loads the executor on first use, so that importing the operator loads no engine and no thread code. */
async function openExecutor(threads: number | 'auto', limits: ThreadLimits): Promise<Executor> {
  if (threads === 0) return new (await import('../execution/inline-executor.js')).InlineExecutor(inlineSlices());
  return new (await import('./thread-executor.js')).ThreadExecutor({ threads, limits });
}

/** Slices of about 10 ms, for work in the calling thread. */
function inlineSlices(): { isLong: () => boolean; defer: (action: () => void) => void } {
  let startedAtMs = performance.now();
  return {
    isLong: () => performance.now() - startedAtMs > 10,
    defer: (action) => {
      setImmediate(() => {
        startedAtMs = performance.now();
        action();
      });
    },
  };
}
