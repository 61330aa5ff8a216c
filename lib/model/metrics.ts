/** The measurements of tasks, edges, roots and the process, for `progress` and the summary. Plain data. */

import type { MemoCounts } from './memo.js';

/** The counts of a task at one moment. */
export interface TaskCounts {
  /** Records that came in; for a source, records that were born. */
  readonly in: number;
  /** Records that came out; for a boundary, those of its new root. */
  readonly out: number;
  /**
   * Records that ended without output on purpose: by `skip(reason)`, by the policy 'skip', or because a full buffer
   * drops them.
   */
  readonly skipped: number;
  /** Records that were given up as dead letters. */
  readonly deadLettered: number;
  /** Records the task holds: queued, running, or waiting to leave. */
  readonly inFlight: number;
  /** Iterations that have ended, for a task that iterates; absent otherwise. */
  readonly iterations?: number;
}

/** The records in flight in a task at one moment, by state. */
export interface InFlight {
  /** Accepted, not started. */
  readonly queued: number;
  /** Started, not finished. */
  readonly running: number;
  /** Finished, waiting to leave: for order, or for a partner in a join. */
  readonly waiting: number;
  /** The most records that can run at once, if there is a limit. */
  readonly places?: number;
}

/** Quantiles of durations in milliseconds, with about 3 % error; all 0 without samples. */
export interface LatencyFigures {
  /** The median, in milliseconds. */
  readonly p50: number;
  /** 95 % of the samples do not exceed this, in milliseconds. */
  readonly p95: number;
  /** 99 % of the samples do not exceed this, in milliseconds. */
  readonly p99: number;
  /** The longest sample, in milliseconds, rounded to microseconds. */
  readonly max: number;
}

/**
 * Latency with the counts of a histogram with fixed buckets. It covers the timed records: each of the first ones, later
 * one in 32.
 */
export interface LatencyProgress extends LatencyFigures {
  /** The number of samples, which may be smaller than the number of records. */
  readonly count: number;
  /** The sum of the samples, in milliseconds. */
  readonly sumMs: number;
  /** For each of `LATENCY_BOUNDS_MS`: how many samples did not exceed it. */
  readonly buckets: readonly number[];
}

/** How a stretch of time divides; the three shares add up to 1. */
export interface TimeShares {
  /** The task was working on a record. */
  readonly busy: number;
  /** The task held no records: the tasks before it were slower. */
  readonly waiting: number;
  /** The task held or could have read records, but none could move: no credits, a closed gate, order, a busy thread. */
  readonly blocked: number;
}

/** The task that keeps a run from being faster, and how close it is to its limit. */
export interface Bottleneck {
  /** If tasks share the full resource (event loop, threads): the task that uses it most. */
  readonly task: string;
  /** 0 to 1; 1 means full. */
  readonly load: number;
}

/** One task at one moment; counts are since the start of the run. */
export interface TaskProgress extends TaskCounts {
  /** The records in flight, by state. */
  readonly held: InFlight;
  /** Records that failed, whatever the policy did with them. */
  readonly failed: number;
  /** Attempts beyond the first of each record, counted when the record is done. */
  readonly retried: number;
  /** Batches that the task emitted. */
  readonly batches: number;
  /** How many outputs were remembered; absent if the task has no `memo`. */
  readonly memo?: MemoCounts;
  /** Finished records per second: over about the last five seconds, and over the run. */
  readonly perSecond: { readonly now: number; readonly average: number };
  /** How the time since the last `progress` divides. */
  readonly shares: TimeShares;
  /** How much of its capacity (its concurrency, its thread) the task used since the last `progress`, 0 to 1. */
  readonly load: number;
  /** Since the start of the run. `queue`: from arrival to start; `service`: from start to end, retries included. */
  readonly latencyMs: { readonly queue: LatencyProgress; readonly service: LatencyProgress };
  /** How much of its input a source has read, 0 to 1; absent if the source does not know. */
  readonly readShare?: number;
}

/** One edge at one moment. */
export interface EdgeProgress {
  /** The name of the task that emits the records. */
  readonly from: string;
  /** The named output by which they leave it; absent for the plain output. */
  readonly output?: string;
  /** The name of the task that receives the records. */
  readonly to: string;
  /** Records that have crossed the edge. */
  readonly records: number;
  /** The records that wait in a join for their partners from other edges. */
  readonly waiting: number;
}

/** One root at one moment. */
export interface RootFigures {
  /** Lineages born in all incarnations of the run; also the number of the next one. */
  readonly born: number;
  /** Lineages that settled in this incarnation of the run. */
  readonly settled: number;
  /** Lineages born and not settled; at most `window`. */
  readonly inFlight: number;
  /** The most lineages in flight, from the options of the run. */
  readonly window: number;
  /** Every lineage below this number has settled. */
  readonly watermark: number;
}

/** A timed record that was slow. */
export interface SlowRecord {
  /** The name of the task where it was slow. */
  readonly task: string;
  /** The name of the root of its lineage. */
  readonly root: string;
  /** The number of the record in that root, or in the partition of that root. */
  readonly lineage: number;
  /** The partition of that root; omitted if it is 0. */
  readonly partition?: number;
  /** From its start at the task to its end, retries included, in milliseconds. */
  readonly ms: number;
  /** When it ended, milliseconds since 1970. */
  readonly at: number;
}

/** The resources of the process since the previous measurement. */
export interface ResourceFigures {
  /** Resident memory of the whole process at this moment. */
  readonly rssBytes: number;
  /** Used heap of the run's thread at this moment. */
  readonly heapUsedBytes: number;
  /** Heap reserved from the system, used or not. */
  readonly heapTotalBytes: number;
  /** Memory outside of the heap that objects on the heap own, such as buffers. */
  readonly externalBytes: number;
  /** Processor time of all threads per unit of time; 1 means one full core. */
  readonly cpuShare: number;
  /** The event loop of the run's thread; delays below about 10 ms are not visible. */
  readonly eventLoop: {
    /** 0 to 1. */
    readonly utilization: number;
    readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  };
  /** The number of garbage collections, and their duration in milliseconds. */
  readonly gc: { readonly count: number; readonly ms: number };
}
