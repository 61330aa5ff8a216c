/**
 * One open job of a thread executor: its client, how large its chunks should be, and what has to be run again because a
 * thread died on it.
 */
import { ChunkSizer } from '../execution/chunk-sizer.js';
import type { Chunk, Job, JobClient, JobOptions } from '../execution/executor.js';

/** A chunk, or a part of one, that was under way when its thread died. */
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
    // What is moved is gone here: it cannot be sent twice, so it travels one by one.
    this.sizer = new ChunkSizer(this.transfer === undefined ? options.maxChunk : 1);
  }

  /** The only thread that may run it; undefined: any. */
  get slot(): number | undefined {
    return this.spec.kind === 'partition' ? this.spec.partition : undefined;
  }

  /** The task one of its stages works for. */
  taskOf(stage: number): string {
    return this.spec.kind === 'map' ? (this.spec.stages[stage]?.task ?? '') : this.spec.task;
  }

  get queued(): number {
    if (this.isClosed) return 0;
    return this.client.queued + this.reruns.reduce((sum, { chunk }) => sum + chunk.records.length, 0);
  }

  /** What a thread that has `outstanding` chunks under way should do next; undefined: nothing now. */
  next(outstanding: number): Rerun | undefined {
    const [rerun] = this.reruns;
    if (rerun !== undefined) {
      if (rerun.isSuspect && outstanding > 0) return undefined;
      this.reruns.shift();
      return rerun;
    }
    const { client, sizer } = this;
    // A busy thread is only given more where that is worth a message; an idle one takes what there is.
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
