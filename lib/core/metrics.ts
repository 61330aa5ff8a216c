/** The words of measuring: what is told of each task once a second and summed up at the end. Plain data. */
import type { TaskCounts } from './account.js';
import type { Held } from './task-meter.js';

/** Quantiles of durations in milliseconds, with about 3 % error; all 0 without samples. */
export interface LatencyFigures {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** The same with what a histogram of fixed buckets needs; of the records that were timed: all at first, then one in 32. */
export interface LatencyProgress extends LatencyFigures {
  readonly count: number;
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
  readonly task: string;
  readonly load: number;
}

/** One task at a moment; the counts are those since the start of the run. */
export interface TaskProgress extends TaskCounts {
  /** What is in flight, by where it is. */
  readonly held: Held;
  /** Records that failed, whatever the policy made of them. */
  readonly failed: number;
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
  readonly from: string;
  readonly to: string;
  /** Records that were handed over. */
  readonly records: number;
  /** Of those, how many wait in a join for their partners from other edges. */
  readonly waiting: number;
}

/** One root at a moment. */
export interface RootFigures {
  readonly born: number;
  readonly settled: number;
  readonly inFlight: number;
  readonly window: number;
  /** Every lineage below is settled. */
  readonly watermark: number;
}

/** A record that was timed and took long. */
export interface SlowRecord {
  readonly task: string;
  readonly root: string;
  readonly lineage: number;
  readonly ms: number;
  /** When it was done. */
  readonly at: number;
}

/** The process since the last time it was looked at. */
export interface ResourceFigures {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly heapTotalBytes: number;
  /** Memory outside of the heap that belongs to objects on it, e.g. buffers. */
  readonly externalBytes: number;
  /** Processor time by time: 1 is one core, all threads of the process together. */
  readonly cpuShare: number;
  readonly eventLoop: {
    /** 0 to 1. */
    readonly utilization: number;
    readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  };
  readonly gc: { readonly count: number; readonly ms: number };
}
