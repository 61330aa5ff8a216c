/**
 * One worker thread, seen from the thread of the run: what it was given, what it has not answered, how busy it is.
 *
 * Promises: an answer to a chunk that was not asked for, or is not waited for any more, is ignored; `onEnd` is called
 * once, after the last message of the thread, however it ended.
 */
import { Worker, type ResourceLimits, type Transferable } from 'node:worker_threads';
import type { Chunk } from '../execution/executor.js';
import type { ThreadStats } from '../model/thread-stats.js';
import { PROGRESS } from '../execution/running-job.js';
import type { ThreadJob } from './thread-job.js';
import type { FromThread, ThreadData, ToThread } from './protocol.js';

/** A chunk under way. */
export interface Posted {
  readonly number: number;
  readonly job: ThreadJob;
  readonly chunk: Chunk;
  /** It killed a thread before: it runs alone, and what happens now is its own doing. */
  readonly isSuspect: boolean;
}

/** Which record of which chunk a thread is on. */
export interface Position {
  readonly chunk: number;
  readonly stage: number;
  readonly index: number;
}

export interface ThreadHandlers {
  onReady(thread: Thread): void;
  onMessage(thread: Thread, message: FromThread): void;
  onEnd(thread: Thread): void;
}

export class Thread {
  /** Which of the executor's threads; a replacement has the number of the one it replaces. */
  readonly slot: number;
  /** Given and not answered, in the order they were given. */
  readonly outstanding: Posted[] = [];
  isReady = false;
  hasEnded = false;
  /** Where it was when it was stopped because a record took too long: it may have gone on before it ended. */
  stoppedAt: Position | undefined;
  /** What it died of, where it told. */
  failure: unknown;
  exitCode: number | undefined;
  private readonly worker: Worker;
  private readonly progress: Int32Array;
  private readonly openJobs = new Set<number>();
  private readonly startedAtMs = performance.now();
  private endedAtMs: number | undefined;
  private busyMs = 0;
  private records = 0;
  private chunks = 0;
  private utilization = 0;

  constructor(slot: number, resourceLimits: ResourceLimits, handlers: ThreadHandlers) {
    this.slot = slot;
    this.progress = new Int32Array(new SharedArrayBuffer(PROGRESS.length * Int32Array.BYTES_PER_ELEMENT));
    this.worker = new Worker(new URL('./entry.js', import.meta.url), {
      name: `millrace ${slot}`,
      workerData: { millrace: true, progress: this.progress } satisfies ThreadData,
      resourceLimits,
      // Flags of the process are not for its workers: tests pass them to every thread. Module hooks for TypeScript do
      // not reach a thread by a flag on Node 20: each thread registers them itself.
      execArgv: [],
    });
    this.worker.on('message', (message: FromThread) => {
      if (message.type === 'ready') {
        this.isReady = true;
        handlers.onReady(this);
      } else handlers.onMessage(this, message);
    });
    this.worker.on('messageerror', (error) => {
      this.failure = error;
      void this.stop();
    });
    this.worker.on('error', (error: unknown) => {
      this.failure = error;
    });
    this.worker.on('exit', (code) => {
      this.exitCode = code;
      this.endedAtMs = performance.now();
      this.hasEnded = true;
      handlers.onEnd(this);
    });
  }

  /** Sends. Throws a DataCloneError where the message cannot be cloned. */
  post(message: ToThread, transfer?: readonly object[]): void {
    if (transfer === undefined) this.worker.postMessage(message);
    else this.worker.postMessage(message, transfer as readonly Transferable[]);
  }

  /** Sends a job before its first chunk. */
  open(job: ThreadJob): void {
    if (this.openJobs.has(job.id)) return;
    this.post({ type: 'open', job: job.id, spec: job.spec });
    this.openJobs.add(job.id);
  }

  /** Whether it holds what cannot be made again elsewhere. */
  hasState(job: ThreadJob): boolean {
    return job.spec.kind === 'partition' && this.openJobs.has(job.id);
  }

  closeJob(job: ThreadJob): void {
    if (this.openJobs.delete(job.id) && !this.hasEnded) this.post({ type: 'close', job: job.id });
  }

  /** The chunk the answer is about, which is outstanding no more; undefined where nobody waits for it. */
  answered(number: number, elapsedMs: number): Posted | undefined {
    const at = this.outstanding.findIndex((posted) => posted.number === number);
    if (at < 0) return undefined;
    const [posted] = this.outstanding.splice(at, 1) as [Posted];
    this.busyMs += elapsedMs;
    this.records += posted.chunk.records.length;
    this.chunks++;
    return posted;
  }

  /** Which record the thread is on; undefined between chunks. */
  position(): Position | undefined {
    const chunk = Atomics.load(this.progress, PROGRESS.chunk);
    if (chunk === 0) return undefined;
    return {
      chunk,
      stage: Atomics.load(this.progress, PROGRESS.stage),
      index: Atomics.load(this.progress, PROGRESS.index),
    };
  }

  /** Ends the thread, whatever it does. */
  async stop(): Promise<void> {
    this.measure();
    await this.worker.terminate();
  }

  stats(): ThreadStats {
    this.measure();
    const aliveMs = (this.endedAtMs ?? performance.now()) - this.startedAtMs;
    let outstanding = 0;
    for (const { chunk } of this.outstanding) outstanding += chunk.records.length;
    return {
      thread: this.slot,
      state: !this.isReady ? 'starting' : outstanding > 0 ? 'busy' : 'idle',
      busyShare: aliveMs > 0 ? Math.min(1, this.busyMs / aliveMs) : 0,
      busyMs: Math.round(this.busyMs),
      eventLoopUtilization: this.utilization,
      outstanding,
      records: this.records,
      chunks: this.chunks,
    };
  }

  private measure(): void {
    if (this.hasEnded || !this.isReady) return;
    this.utilization = this.worker.performance.eventLoopUtilization().utilization;
  }
}
