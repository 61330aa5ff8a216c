/**
 * One worker thread, seen from the thread of the run: its outstanding chunks, its workloads and its figures.
 *
 * Guarantees: an answer to a chunk that is not outstanding is ignored. `onEnd` is called once, after the last message
 * of the thread, however it ended.
 */
import { Worker, type ResourceLimits, type Transferable } from 'node:worker_threads';
import type { Chunk } from '../execution/executor.js';
import type { ThreadStats } from '../model/thread-stats.js';
import { PROGRESS } from '../execution/running-workload.js';
import type { ThreadWorkload } from './thread-workload.js';
import type { FromThread, ThreadData, ToThread } from './protocol.js';

/** A chunk that was sent and is not answered. */
export interface Posted {
  readonly number: number;
  readonly workload: ThreadWorkload;
  readonly chunk: Chunk;
  /** The number of threads that died on this chunk before. Above 0, it runs alone in its thread. */
  readonly deaths: number;
  /** Whether the thread had no chunk before this one, so that no other record can have caused its death. */
  readonly isFirst: boolean;
}

/** The chunk, member and record that a thread works on. */
export interface Position {
  readonly chunk: number;
  readonly member: number;
  readonly index: number;
}

/** The receivers of a thread's events. */
export interface ThreadHandlers {
  onReady(thread: Thread): void;
  onMessage(thread: Thread, message: FromThread): void;
  onEnd(thread: Thread): void;
}

export class Thread {
  /** The slot of the thread in its pool; a replacement has the same slot. */
  readonly slot: number;
  /** Chunks that were sent and are not answered, in the order of sending. */
  readonly outstanding: Posted[] = [];
  isReady = false;
  hasEnded = false;
  /** The position at which a time limit stopped it. The thread may have moved on before it ended. */
  stoppedAt: Position | undefined;
  /** The cause of its death, if it reported one. */
  failure: unknown;
  exitCode: number | undefined;
  private readonly worker: Worker;
  private readonly progress: Int32Array;
  /** The open workloads, and whether the thread has loaded them. */
  private readonly openWorkloads = new Map<number, boolean>();
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
      // Threads inherit the flags of the process (an inspector, a loader) by default, but these flags are not meant for
      // them. Each thread registers the module hooks for TypeScript itself, because on Node 20 no flag registers them
      // in a thread.
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

  /** Sends a message. Throws a DataCloneError if it cannot be cloned. */
  post(message: ToThread, transfer?: readonly object[]): void {
    if (transfer === undefined) this.worker.postMessage(message);
    else this.worker.postMessage(message, transfer as readonly Transferable[]);
  }

  /** Sends a workload before its first chunk; later calls do nothing. */
  open(workload: ThreadWorkload): void {
    if (this.openWorkloads.has(workload.id)) return;
    const states = workload.isOrdered ? workload.client.states?.() : undefined;
    this.post({ type: 'open', workload: workload.id, spec: workload.spec, states });
    this.openWorkloads.set(workload.id, false);
  }

  /** Records that the thread has loaded an open workload. */
  loaded(id: number): void {
    if (this.openWorkloads.has(id)) this.openWorkloads.set(id, true);
  }

  /** Whether the thread has loaded the workload. */
  hasLoaded(workload: ThreadWorkload): boolean {
    return this.openWorkloads.get(workload.id) === true;
  }

  /** Whether the thread received the workload and has not loaded it. */
  isLoading(workload: ThreadWorkload): boolean {
    return this.openWorkloads.get(workload.id) === false;
  }

  /** Whether the thread has chunks of the workload. */
  worksOn(workload: ThreadWorkload): boolean {
    return this.outstanding.some((posted) => posted.workload === workload);
  }

  /** Whether the thread was sent no chunk yet. */
  get isFresh(): boolean {
    return this.chunks === 0 && this.outstanding.length === 0;
  }

  /** Whether the thread holds state of the workload that no other thread can rebuild. */
  hasState(workload: ThreadWorkload): boolean {
    return workload.spec.kind === 'partition' && this.openWorkloads.has(workload.id);
  }

  /** Ends a workload in the thread. */
  closeWorkload(workload: ThreadWorkload): void {
    if (this.openWorkloads.delete(workload.id) && !this.hasEnded) this.post({ type: 'close', workload: workload.id });
  }

  /** Removes and returns the chunk that was answered; undefined if it is not outstanding. */
  answered(number: number, elapsedMs: number): Posted | undefined {
    const at = this.outstanding.findIndex((posted) => posted.number === number);
    if (at < 0) return undefined;
    const [posted] = this.outstanding.splice(at, 1) as [Posted];
    this.busyMs += elapsedMs;
    this.records += posted.chunk.records.length;
    this.chunks++;
    return posted;
  }

  /** The record that the thread works on; undefined between chunks. */
  position(): Position | undefined {
    const chunk = Atomics.load(this.progress, PROGRESS.chunk);
    if (chunk === 0) return undefined;
    return {
      chunk,
      member: Atomics.load(this.progress, PROGRESS.member),
      index: Atomics.load(this.progress, PROGRESS.index),
    };
  }

  /** Ends the thread, even while it is busy. */
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
