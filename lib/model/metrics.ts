/** The words of measuring: what is told of each task once a second and summed up at the end. Plain data. */

/** The account of a task at one moment. */
export interface TaskCounts {
  /** Records that came in; of a source, those that were born. */
  readonly in: number;
  /** Records that came out; of a boundary, those of its new root. */
  readonly out: number;
  /**
   * Records that ended without output on purpose: by `skip(reason)`, by the policy 'skip', or
   * because a full buffer drops.
   */
  readonly skipped: number;
  /** Records that were given up as dead letters. */
  readonly deadLettered: number;
  /** Records the task holds: queued, running, or waiting to leave. */
  readonly inFlight: number;
}

/** What a task holds at this moment. */
export interface InFlight {
  /** Taken in, not started. */
  readonly queued: number;
  /** Started, not finished. */
  readonly running: number;
  /** Finished, waiting to leave (for order, or for a joining partner). */
  readonly waiting: number;
  /** The most that can run at once, where there is such a limit. */
  readonly places?: number;
}

/** Quantiles of durations in milliseconds, with about 3 % error; all 0 without samples. */
export interface LatencyFigures {
  /** The median, in milliseconds. */
  readonly p50: number;
  /** Not exceeded by 95 % of the samples, in milliseconds. */
  readonly p95: number;
  /** Not exceeded by 99 % of the samples, in milliseconds. */
  readonly p99: number;
  /** The longest sample, in milliseconds; exact but for rounding to microseconds. */
  readonly max: number;
}

/** The same with what a histogram of fixed buckets needs; of the records that were timed: all at first, then one in 32. */
export interface LatencyProgress extends LatencyFigures {
  /** Samples, of which there may be fewer than records: see above. */
  readonly count: number;
  /** The sum of the samples, in milliseconds. */
  readonly sumMs: number;
  /** How many did not exceed each of `LATENCY_BOUNDS_MS`. */
  readonly buckets: readonly number[];
}

/** What a stretch of time went to; the three add up to 1. */
export interface TimeShares {
  /** A record was being worked on. */
  readonly busy: number;
  /** It held nothing: what is before it was slower. */
  readonly waiting: number;
  /** It held records, or could have read some, and none could go on: no credits, a closed gate, order, a busy thread. */
  readonly blocked: number;
}

/** The task that keeps a run from being faster, and how close it is to its limit, 0 to 1. */
export interface Bottleneck {
  /** Where several tasks share what is full (event loop, threads): the one that uses most. */
  readonly task: string;
  /** 1 is full. */
  readonly load: number;
}

/** One task at a moment; the counts are those since the start of the run. */
export interface TaskProgress extends TaskCounts {
  /** What is in flight, by where it is. */
  readonly held: InFlight;
  /** Records that failed, whatever the policy made of them. */
  readonly failed: number;
  /** Attempts beyond the first of each record, counted when the record is done. */
  readonly retried: number;
  /** Batches it emitted. */
  readonly batches: number;
  /** Records it was done with, a second: over about the last five seconds, and over the run. */
  readonly perSecond: { readonly now: number; readonly average: number };
  /** What the time since the last `progress` went to. */
  readonly shares: TimeShares;
  /** Since the last `progress`: of what it could have done (its concurrency, its thread), how much it did, 0 to 1. */
  readonly load: number;
  /** Since the start of the run: from arrival to start, and from start to end with retries. */
  readonly latencyMs: { readonly queue: LatencyProgress; readonly service: LatencyProgress };
  /** Of a source that knows: how much of its input is read, 0 to 1. */
  readonly readShare?: number;
}

/** One edge at a moment. */
export interface EdgeProgress {
  /** The name of the task that emits the records. */
  readonly from: string;
  /** The name of the task that takes them in. */
  readonly to: string;
  /** Records that were handed over. */
  readonly records: number;
  /** Of those, how many wait in a join for their partners from other edges. */
  readonly waiting: number;
}

/** One root at a moment. */
export interface RootFigures {
  /** Lineages born, over all lives of a resumed run: the number the next one gets. */
  readonly born: number;
  /** Lineages that settled in this life of the run. */
  readonly settled: number;
  /** Lineages born and not settled; at most `window`. */
  readonly inFlight: number;
  /** The most lineages in flight, as the run was told. */
  readonly window: number;
  /** Every lineage below is settled. */
  readonly watermark: number;
}

/** A record that was timed and took long. */
export interface SlowRecord {
  /** The name of the task that took long. */
  readonly task: string;
  /** The name of the root its lineage belongs to. */
  readonly root: string;
  /** The number of the record in that root. */
  readonly lineage: number;
  /** From its start at the task to its end, retries included, in milliseconds. */
  readonly ms: number;
  /** When it was done. */
  readonly at: number;
}

/** The process since the last time it was looked at. */
export interface ResourceFigures {
  /** Resident memory of the whole process at this moment. */
  readonly rssBytes: number;
  /** Used heap of the thread of the run at this moment. */
  readonly heapUsedBytes: number;
  /** Heap that was taken from the system, used or not. */
  readonly heapTotalBytes: number;
  /** Memory outside of the heap that belongs to objects on it, e.g. buffers. */
  readonly externalBytes: number;
  /** Processor time by time: 1 is one core, all threads of the process together. */
  readonly cpuShare: number;
  /** The event loop of the thread of the run; delays below about 10 ms do not show. */
  readonly eventLoop: {
    /** 0 to 1. */
    readonly utilization: number;
    readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  };
  /** Garbage collections, and the milliseconds they took. */
  readonly gc: { readonly count: number; readonly ms: number };
}
