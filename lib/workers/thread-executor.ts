/**
 * The executor with threads: one pool that all workloads share.
 *
 * Guarantees: threads start when work waits that no idle thread can accept. A thread that dies is replaced, and only
 * the record that killed it fails. After `close` no thread is left, and all open requests to threads are rejected.
 */
import { availableParallelism } from 'node:os';
import type { ThreadNews } from '../model/events.js';
import type {
  Collected,
  Executor,
  ExportKind,
  ItemReader,
  Workload,
  WorkloadClient,
  WorkloadOptions,
  WorkloadPort,
  ModuleRef,
  ThreadLimits,
} from '../execution/executor.js';
import type { ExecutorStats } from '../model/thread-stats.js';
import { Checks } from './checks.js';
import { Dispatcher } from './dispatcher.js';
import { unpackError, type WireError } from './error-wire.js';
import type { FromThread } from './protocol.js';
import { Streams } from './streams.js';
import type { Thread } from './thread.js';
import { closedError, loadingError, streamError } from './thread-errors.js';
import { ThreadWorkload } from './thread-workload.js';
import { ThreadPool } from './thread-pool.js';

export interface ThreadExecutorOptions {
  /** The most threads, at least 1; 'auto' means one per core. */
  readonly threads: number | 'auto';
  readonly limits?: ThreadLimits;
  /** Called when the thread of a slot starts, is replaced or ends. */
  readonly onNews?: (news: ThreadNews, slot: number) => void;
}

export class ThreadExecutor implements Executor {
  private readonly pool: ThreadPool;
  private readonly dispatcher: Dispatcher;
  private readonly streams = new Streams();
  private readonly checks = new Checks();
  /** The last number of a workload, chunk, stream or check. Numbers start at 1 and are never used twice. */
  private lastNumber = 0;

  constructor({ threads, limits = {}, onNews = () => undefined }: ThreadExecutorOptions) {
    const size = threads === 'auto' ? Math.max(1, availableParallelism()) : threads;
    this.pool = new ThreadPool(size, limits, {
      onReady: () => {
        this.dispatcher.schedule();
      },
      onMessage: (thread, message) => {
        this.receive(thread, message);
      },
      onNews,
      onDeath: (thread) => {
        this.checks.fail(loadingError(thread), thread);
        this.streams.fail(streamError(thread), thread);
        this.dispatcher.died(thread);
      },
    });
    this.dispatcher = new Dispatcher(this.pool, () => ++this.lastNumber);
  }

  get size(): number {
    return this.pool.size;
  }

  check(ref: ModuleRef, as: ExportKind): Promise<void> {
    if (this.pool.isStopped) return Promise.reject(closedError());
    const thread = this.pool.threads[0] ?? this.pool.need(0);
    const id = ++this.lastNumber;
    return this.checks.ask(id, thread, () => {
      thread.post({ type: 'check', id, ref, as });
    });
  }

  open(spec: Workload, client: WorkloadClient, options: WorkloadOptions): WorkloadPort {
    const workload = new ThreadWorkload(++this.lastNumber, spec, client, options);
    this.dispatcher.add(workload);
    return {
      wake: this.dispatcher.schedule,
      collect: () => this.collect(workload),
      close: () => {
        this.dispatcher.remove(workload);
      },
    };
  }

  stream(ref: ModuleRef): ItemReader<unknown> {
    if (this.pool.isStopped) return { read: () => Promise.reject(closedError()), close: () => undefined };
    const thread = this.pool.need(this.pool.least((one) => this.streams.countOf(one)));
    const stream = ++this.lastNumber;
    return this.streams.open<unknown>(stream, thread, () => {
      thread.post({ type: 'stream', stream, ref });
    });
  }

  stats(): ExecutorStats {
    const { size, replaced } = this.pool;
    return { size, queued: this.dispatcher.queued, replaced, threads: this.pool.stats() };
  }

  async close(): Promise<void> {
    this.dispatcher.close();
    this.checks.fail(closedError());
    this.streams.fail(closedError());
    await this.pool.stop();
  }

  private receive(thread: Thread, message: FromThread): void {
    switch (message.type) {
      case 'done':
        this.dispatcher.done(thread, message.chunk, message);
        return;
      case 'loaded':
        this.dispatcher.loaded(thread, message.workload);
        return;
      case 'failed':
        this.dispatcher.failed(thread, message.workload, message.chunk, unpackError(message.error));
        return;
      case 'checked':
        this.checks.answer(message.id, message.error);
        return;
      case 'items':
        this.streams.accept(message.stream, message.items);
        return;
      case 'over':
        this.streams.end(message.stream, message.error);
        return;
      case 'ready':
    }
  }

  private collect(workload: ThreadWorkload): ItemReader<Collected> {
    const thread = workload.slot === undefined ? undefined : this.pool.at(workload.slot);
    // The thread never received a record of the workload.
    if (thread?.hasState(workload) !== true) return { read: () => Promise.resolve(null), close: () => undefined };
    const stream = ++this.lastNumber;
    const reader = this.streams.open<Collected>(stream, thread, () => {
      thread.post({ type: 'collect', workload: workload.id, stream });
    });
    return {
      read: async () => (await reader.read())?.map(unpackCollected) ?? null,
      close: () => {
        reader.close();
      },
    };
  }
}

function unpackCollected(collected: Collected): Collected {
  const { failure } = collected;
  if (failure === undefined) return collected;
  return { ...collected, failure: { key: failure.key, error: unpackError(failure.error as WireError) } };
}
