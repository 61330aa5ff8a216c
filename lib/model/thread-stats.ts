/** The figures of threads, as plain data. */

/** One thread of an executor, as plain data. */
export interface ThreadStats {
  /** The number of its slot, from 0; threads that follow one another in a slot share it. */
  readonly thread: number;
  /** `starting` until it can take records, `busy` while some are outstanding, else `idle`. */
  readonly state: 'starting' | 'idle' | 'busy';
  /** Of the time since it started, how much it worked on records, 0 to 1. */
  readonly busyShare: number;
  /** The same in milliseconds, so that two looks give the share between them. */
  readonly busyMs: number;
  /** Of its event loop, 0 to 1, as Node measures it. */
  readonly eventLoopUtilization: number;
  /** Records handed over and not answered. */
  readonly outstanding: number;
  /** Records it has answered. */
  readonly records: number;
  /** Chunks of records it has answered. */
  readonly chunks: number;
}

/** An executor at one moment, as plain data. */
export interface ExecutorStats {
  /** The most threads; 0: everything runs inline. */
  readonly size: number;
  /** Records that wait for a thread. */
  readonly queued: number;
  /** Threads that died or were stopped because a record took too long. */
  readonly replaced: number;
  /** The threads that were started, those that ended included. */
  readonly threads: readonly ThreadStats[];
}
