/** One open job of a thread executor: its client, the size of its chunks, and the chunks that must run again after a death. */
import { ChunkSizer } from '../execution/chunk-sizer.js';
import type { Chunk, Job, JobClient, JobOptions } from '../execution/executor.js';

/** A chunk, or part of one, to send; usually again, because its thread died. */
export interface Rerun {
  readonly chunk: Chunk;
  readonly isSuspect: boolean;
}

export class ThreadJob {
  readonly id: number;
  readonly spec: Job;
  readonly client: JobClient;
  readonly transfer: ((record: unknown) => readonly object[]) | undefined;
  readonly sizer: ChunkSizer;
  readonly reruns: Rerun[] = [];
  isClosed = false;

  constructor(id: number, spec: Job, client: JobClient, options: JobOptions) {
    this.id = id;
    this.spec = spec;
    this.client = client;
    this.transfer = options.transfer as ((record: unknown) => readonly object[]) | undefined;
    // Moved data cannot be sent twice, so such records travel one by one.
    this.sizer = new ChunkSizer(this.transfer === undefined ? options.maxChunk : 1);
  }

  /** The number of the only thread that may run the job; undefined if any may. */
  get slot(): number | undefined {
    return this.spec.kind === 'partition' ? this.spec.partition : undefined;
  }

  /** The task of a stage. */
  taskOf(stage: number): string {
    return this.spec.kind === 'map' ? (this.spec.stages[stage]?.task ?? '') : this.spec.task;
  }

  get queued(): number {
    if (this.isClosed) return 0;
    return this.client.queued + this.reruns.reduce((sum, { chunk }) => sum + chunk.records.length, 0);
  }

  /** The next chunk for a thread with `outstanding` chunks; undefined if it should get none now. */
  next(outstanding: number): Rerun | undefined {
    const [rerun] = this.reruns;
    if (rerun !== undefined) {
      if (rerun.isSuspect && outstanding > 0) return undefined;
      this.reruns.shift();
      return rerun;
    }
    const { client, sizer } = this;
    // A busy thread gets more records only if they are worth a message; an idle one gets all there are.
    if (outstanding > 0 && (this.transfer !== undefined || client.queued * 2 < sizer.size)) return undefined;
    const chunk = client.take(sizer.size);
    return chunk === undefined ? undefined : { chunk, isSuspect: false };
  }

  fail(error: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.client.fail(error);
  }
}
