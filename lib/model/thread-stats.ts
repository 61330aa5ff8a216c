/** The figures of worker threads, as plain data. */

/** One thread of an executor, as plain data. */
export interface ThreadStats {
  /** The number of its slot, from 0. A thread and its replacement share the slot. */
  readonly thread: number;
  /** `starting` until it can accept records, `busy` while records are outstanding, else `idle`. */
  readonly state: 'starting' | 'idle' | 'busy';
  /** The share of its lifetime in which it worked on records, 0 to 1. */
  readonly busyShare: number;
  /** The same in milliseconds; the difference of two readings is the share between them. */
  readonly busyMs: number;
  /** Utilization of its event loop, 0 to 1, as Node measures it. */
  readonly eventLoopUtilization: number;
  /** Records that were sent to the thread and are not answered yet. */
  readonly outstanding: number;
  /** Records that it has answered. */
  readonly records: number;
  /** Chunks of records that it has answered. */
  readonly chunks: number;
}

/** An executor at one moment, as plain data. */
export interface ExecutorStats {
  /** The most threads; 0 means that everything runs inline. */
  readonly size: number;
  /** Records that wait for a thread. */
  readonly queued: number;
  /** Threads that died, or that were stopped because a record took too long. */
  readonly replaced: number;
  /** All threads that were started, including those that have ended. */
  readonly threads: readonly ThreadStats[];
}
