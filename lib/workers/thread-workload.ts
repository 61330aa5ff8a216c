/**
 * One open workload of a thread executor: its client, the size of its chunks, the chunks that must run again after a
 * death, and the records that killed their threads before any record was answered.
 *
 * Guarantees: a chunk that killed a thread is sent alone, to a thread that has loaded the workload. While no record was
 * answered, such chunks come last, so that any record that succeeds is found first.
 */
import { ChunkSizer } from '../execution/chunk-sizer.js';
import type { Chunk, ChunkResult, Workload, WorkloadClient, WorkloadOptions } from '../execution/executor.js';

/** A chunk, or part of one, to send; usually again, because its thread died. */
export interface Rerun {
  readonly chunk: Chunk;
  /** The number of threads that died while they worked on it. Above 0, it is a suspect and runs alone. */
  readonly deaths: number;
}

/** The parts of a thread that a workload uses. */
export interface WorkloadThread {
  readonly outstanding: readonly unknown[];
  /** The cause of its death, if it reported one. */
  readonly failure: unknown;
  readonly exitCode: number | undefined;
  open(workload: ThreadWorkload): void;
  hasLoaded(workload: ThreadWorkload): boolean;
}

/** The answer to one record that killed its threads. */
export interface WithheldAnswer {
  readonly chunk: Chunk;
  readonly result: ChunkResult;
}

export class ThreadWorkload {
  readonly id: number;
  readonly spec: Workload;
  readonly client: WorkloadClient;
  readonly transfer: ((record: unknown) => readonly object[]) | undefined;
  readonly sizer: ChunkSizer;
  readonly reruns: Rerun[] = [];
  isClosed = false;
  /** Whether a thread has answered any record of the workload. */
  hasAnswered = false;
  /** How many threads in a row died while they loaded the workload. */
  loadDeaths = 0;
  /**
   * The number of deaths that records of the workload caused before any record was answered, and the time of the first.
   */
  fruitlessDeaths = 0;
  fruitlessSinceMs = 0;
  /** The number of records that were given up because they killed their threads. */
  killers = 0;
  /** Answers that wait until a record succeeds, or until no other record is left to try. */
  readonly withheld: WithheldAnswer[] = [];
  /** The thread whose death was the last that a record of the workload caused. */
  lastDeath: WorkloadThread | undefined;
  /** Whether threads receive no record before they have loaded the workload. */
  private loadsFirst: boolean;

  constructor(id: number, spec: Workload, client: WorkloadClient, options: WorkloadOptions) {
    this.id = id;
    this.spec = spec;
    this.client = client;
    this.transfer = options.transfer as ((record: unknown) => readonly object[]) | undefined;
    // Moved data cannot be sent twice, so such records travel one by one, and only to a thread that has loaded the
    // workload.
    this.loadsFirst = this.transfer !== undefined;
    this.sizer = new ChunkSizer(this.transfer === undefined ? options.maxChunk : 1);
  }

  /** The number of the only thread that may run the workload; undefined if any may. */
  get slot(): number | undefined {
    return this.spec.kind === 'partition' || this.spec.kind === 'keyed' ? this.spec.partition : undefined;
  }

  /** Whether records are processed in order, each with the state after the one before. */
  get isOrdered(): boolean {
    return this.spec.kind === 'keyed';
  }

  /** The task of a member. */
  taskOf(member: number): string {
    return this.spec.kind === 'map' ? (this.spec.members[member]?.task ?? '') : this.spec.task;
  }

  get queued(): number {
    if (this.isClosed) return 0;
    return this.client.queued + this.reruns.reduce((sum, { chunk }) => sum + chunk.records.length, 0);
  }

  /** The next chunk for a thread; undefined if the thread should get none now. */
  next(thread: WorkloadThread): Rerun | undefined {
    const outstanding = thread.outstanding.length;
    if (this.reruns.length === 0 && !this.loadsFirst) return this.fresh(outstanding);
    // A chunk that is sent before the workload is loaded hides whether the module or a record killed the thread.
    const isSafe = thread.hasLoaded(this);
    if (this.loadsFirst && !isSafe) return this.load(thread);
    const isInOrder = this.hasAnswered || this.isOrdered;
    const at = isInOrder
      ? 0
      : Math.max(
          0,
          this.reruns.findIndex(({ deaths }) => deaths === 0),
        );
    const rerun = this.reruns[at];
    if (rerun === undefined) return this.fresh(outstanding);
    if (rerun.deaths > 0) {
      const fresh = isInOrder ? undefined : this.fresh(outstanding);
      if (fresh !== undefined) return fresh;
      if (outstanding > 0) return undefined;
      if (!isSafe) return this.load(thread);
    }
    this.reruns.splice(at, 1);
    return rerun;
  }

  /**
   * Reports that a thread died while it loaded the workload. From now on threads load it before they receive records.
   */
  diedLoading(): void {
    this.loadDeaths++;
    this.loadsFirst = true;
  }

  /** Records that a record of the workload killed a thread. */
  killedBy(thread: WorkloadThread): void {
    this.lastDeath = thread;
    if (!this.hasAnswered && this.fruitlessDeaths++ === 0) this.fruitlessSinceMs = performance.now();
  }

  /** Answers one record, or withholds the answer while no record was answered by a thread. */
  answer(chunk: Chunk, result: ChunkResult): void {
    if (this.hasAnswered) this.deliver(chunk, result);
    else this.withheld.push({ chunk, result });
  }

  /** Delivers the withheld answers. */
  release(): void {
    for (const { chunk, result } of this.withheld.splice(0)) this.deliver(chunk, result);
  }

  deliver(chunk: Chunk, result: ChunkResult): void {
    if (!this.isClosed) this.client.deliver(chunk, result);
  }

  fail(error: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.client.fail(error);
  }

  private load(thread: WorkloadThread): Rerun | undefined {
    if (this.queued === 0) return undefined;
    try {
      thread.open(this);
    } catch (error) {
      // The arguments of a factory cannot be cloned.
      this.fail(error);
    }
    return undefined;
  }

  private fresh(outstanding: number): Rerun | undefined {
    const { client, sizer } = this;
    // A busy thread gets more records only if they are worth a message; an idle one gets all there are.
    if (outstanding > 0 && (this.transfer !== undefined || client.queued * 2 < sizer.size)) return undefined;
    const chunk = client.pull(sizer.size);
    return chunk === undefined ? undefined : { chunk, deaths: 0 };
  }
}
