/**
 * What a run tells about itself: one typed union, every member plain data that survives JSON (only the `record` of a
 * dead letter may be anything). `at` is milliseconds since 1970 by the run's clock. What happens to every record is told
 * in sums by `progress`, not one event a record. docs/events.md is the table, and a spec holds it to this file.
 */
import type { TaskCounts } from './account.js';
import type { CallEvent } from './call-event.js';
import type { ExecutorStats } from './executor.js';
import type { GraphNode, JoinMode } from './graph.js';
import type { Bottleneck, EdgeProgress, ResourceFigures, RootFigures, SlowRecord, TaskProgress } from './metrics.js';
import type { DeadLetter, RunOutcome } from './ports.js';
import type { RunSummary } from './run-summary.js';

/**
 * The version of the events; `run-started` carries it. A new type of event or a new field does not change it, because
 * readers pass over what they do not know; another meaning of an old one does.
 */
export const EVENT_VERSION = 1;

export type RunEvent = LifeEvent | TaskEvent | CallEvent | MeasureEvent | CheckpointEvent | ThreadEvent | TroubleEvent;

/** One task of the graph, with what a reader needs to draw it. */
export interface GraphTask {
  readonly name: string;
  readonly kind: string;
  readonly dependencies: readonly string[];
  readonly join: JoinMode;
  readonly bearing: GraphNode['bearing'];
  /** The root of what comes in; absent for a source. */
  readonly inputRoot?: string;
  /** The root of what goes out. */
  readonly outputRoot: string;
  /** What it reads or writes outside, where others may know it. */
  readonly dataset?: Dataset;
}

/** A file at an end of the graph. */
export interface Dataset {
  /** Absolute. */
  readonly path: string;
  /** The names of its columns, where they are known before it is read. */
  readonly fields?: readonly string[];
}

/** What the run does as a whole. */
export type LifeEvent =
  | {
      /** The first event of every run: all that a reader elsewhere needs. */
      readonly type: 'run-started';
      readonly version: typeof EVENT_VERSION;
      readonly at: number;
      readonly runId: string;
      readonly workflow: string;
      readonly description: string;
      /** Dependencies stand before their dependents. */
      readonly graph: readonly GraphTask[];
      /** Chains of tasks that share a thread hop. */
      readonly hops: readonly (readonly string[])[];
      /** The most records of one root in flight. */
      readonly window: number;
      readonly threads: number | 'auto';
      readonly seed: number;
      /** The configuration, with secrets masked. */
      readonly config: unknown;
    }
  | {
      /** The run goes on from a checkpoint, after it was killed or had failed. */
      readonly type: 'resumed';
      readonly at: number;
      /** Which life of the run this is, from 1. */
      readonly incarnation: number;
      /** When the checkpoint was taken. */
      readonly from: number;
    }
  | { readonly type: 'draining'; readonly at: number }
  | { readonly type: 'notice'; readonly at: number; readonly message: string }
  | {
      /** The last event. */
      readonly type: 'run-ended';
      readonly at: number;
      readonly runId: string;
      readonly outcome: RunOutcome;
      readonly error?: { readonly code: string; readonly message: string };
      readonly summary: RunSummary;
    };

export type TaskEvent =
  | { readonly type: 'task-started'; readonly at: number; readonly task: string }
  | { readonly type: 'task-ended'; readonly at: number; readonly task: string; readonly counts: TaskCounts };

/** Told about once a second while records move, less often while none does. */
export type MeasureEvent =
  | {
      readonly type: 'progress';
      readonly at: number;
      /** Since the start of the run. */
      readonly elapsedMs: number;
      readonly tasks: Readonly<Record<string, TaskProgress>>;
      readonly edges: readonly EdgeProgress[];
      readonly roots: Readonly<Record<string, RootFigures>>;
      /** Since the last `progress`; absent where no task was under load. */
      readonly bottleneck?: Bottleneck;
    }
  | {
      /** The process; not told in virtual time. */
      readonly type: 'resources';
      readonly at: number;
      readonly process: ResourceFigures;
      /** Of a run with threads. */
      readonly pool?: ExecutorStats;
    }
  | {
      /** Records that are among the slowest of their task so far and were not told yet. */
      readonly type: 'slow-records';
      readonly at: number;
      readonly records: readonly SlowRecord[];
    };

export interface CheckpointEvent {
  /** From here the run can be resumed. */
  readonly type: 'checkpoint';
  readonly at: number;
  /** By root: every lineage below is settled. */
  readonly watermarks: Readonly<Record<string, number>>;
  /** Records settled, over all roots. */
  readonly settled: number;
  /** How long taking it took. */
  readonly elapsedMs: number;
}

export interface ThreadEvent {
  /** A worker thread can take work; can take work in place of one that died; has ended. */
  readonly type: ThreadNews;
  readonly at: number;
  /** The number of its slot. */
  readonly thread: number;
}

export type TroubleEvent =
  | { readonly type: 'dead-letter'; readonly at: number; readonly letter: DeadLetter }
  | { readonly type: 'stall'; readonly at: number; readonly stalled: readonly Stall[]; readonly message: string }
  | { readonly type: 'subscriber-error'; readonly at: number; readonly message: string }
  | {
      /** So many events are missing here, because whoever recorded them could not keep up. */
      readonly type: 'dropped';
      readonly at: number;
      readonly count: number;
      /** How many of each type. */
      readonly types: Readonly<Record<string, number>>;
    };

export type ThreadNews = 'thread-started' | 'thread-replaced' | 'thread-ended';

/** Who waits for whom. */
export interface Stall {
  readonly task: string;
  readonly lineage: number;
  readonly waitsFor: readonly string[];
}
