/**
 * What a run tells about itself: one typed union, every member plain data that survives JSON (only the `record` of a
 * dead letter may be anything). `at` is milliseconds since 1970 by the run's clock. What happens to every record is told
 * in sums by `progress`, not one event a record. docs/events.md is the table, and a spec holds it to this file.
 */
import type { TaskCounts } from './metrics.js';
import type { CallEvent } from './call-event.js';
import type { ExecutorStats } from './thread-stats.js';
import type { GraphNode, JoinMode } from './graph.js';
import type { Bottleneck, EdgeProgress, ResourceFigures, RootFigures, SlowRecord, TaskProgress } from './metrics.js';
import type { DeadLetter, RunOutcome } from './ports.js';
import type { RunSummary } from './run-summary.js';

/**
 * The version of the events; `run-started` carries it. A new type of event or a new field does not change it, because
 * readers pass over what they do not know; another meaning of an old one does.
 */
export const EVENT_VERSION = 1;

/**
 * Everything `run.events$` can tell; `type` says which. `at` is milliseconds since 1970 by the
 * clock of the run. Readers pass over types they do not know.
 */
export type RunEvent = LifeEvent | TaskEvent | CallEvent | MeasureEvent | CheckpointEvent | ThreadEvent | TroubleEvent;

/** One task of the graph, with what a reader needs to draw it. */
export interface GraphTask {
  /** Unique in its workflow; events and summaries name the task by it. */
  readonly name: string;
  /** 'source', 'sync', 'request' and so on; 'custom' for a task that names none. */
  readonly kind: string;
  /** The names of the tasks whose records come in, in the order they were declared. */
  readonly dependencies: readonly string[];
  /** How the records of the dependencies meet; 'aligned' where nothing else was declared. */
  readonly join: JoinMode;
  /** `source` and `boundary` give birth to lineages, `inherits` keeps them. */
  readonly bearing: GraphNode['bearing'];
  /** The root of what comes in; absent for a source. */
  readonly inputRoot?: string;
  /** The root of what goes out. */
  readonly outputRoot: string;
  /** What it reads or writes outside, where others may know it. */
  readonly dataset?: Dataset;
}

/** What a source reads or a sink writes outside of the run: a file, a topic, a table. */
export interface Dataset {
  /** What kind of place it is in, and where that needs an address, which one: `file`, `kafka://broker:9092`, `postgres://host:5432`. */
  readonly namespace: string;
  /** Its name there: the absolute path of a file, a topic, `database.schema.table`. */
  readonly name: string;
  /** The names of its columns, where they are known before it is read. */
  readonly fields?: readonly string[];
}

/** What the run does as a whole. `at` is milliseconds since 1970. */
export type LifeEvent =
  | {
      /** The first event of every run: all that a reader elsewhere needs. */
      readonly type: 'run-started';
      /** Another one means that old fields have another meaning; new types and fields leave it. */
      readonly version: typeof EVENT_VERSION;
      readonly at: number;
      /** The same in every life of a resumed run. */
      readonly runId: string;
      /** The name of the workflow. */
      readonly workflow: string;
      /** The description of the workflow; '' where it has none. */
      readonly description: string;
      /** Dependencies stand before their dependents. */
      readonly graph: readonly GraphTask[];
      /** Chains of tasks that share a thread hop. */
      readonly hops: readonly (readonly string[])[];
      /** The most records of one root in flight. */
      readonly window: number;
      /** As the run was told: 'auto' is one a core, 0 inline. */
      readonly threads: number | 'auto';
      /** Of the run's randomness: `seed` of `RunOptions` gives another run the same sequence. */
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
      /** When the checkpoint was taken, milliseconds since 1970. */
      readonly from: number;
    }
  | {
      /** Sources were asked to stop; what is in flight settles. */
      readonly type: 'draining';
      readonly at: number;
    }
  | {
      /** Something people should know, from the run or its workflow. */
      readonly type: 'notice';
      readonly at: number;
      /** One sentence. */
      readonly message: string;
    }
  | {
      /** The last event. */
      readonly type: 'run-ended';
      readonly at: number;
      /** As `run-started` had it. */
      readonly runId: string;
      /** The same that the summary has. */
      readonly outcome: RunOutcome;
      /** Present where the outcome is 'failed': the first failure. */
      readonly error?: { readonly code: string; readonly message: string };
      /** The same that `finished` gives. */
      readonly summary: RunSummary;
    };

/** The beginning and the end of one task. A run whose tasks cannot open tells neither. */
export type TaskEvent =
  | {
      /** The task is open and takes records. */
      readonly type: 'task-started';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
    }
  | {
      /** The task has emitted its last record. */
      readonly type: 'task-ended';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** Since the start of this life of the run. */
      readonly counts: TaskCounts;
    };

/**
 * Told about once a second while records move, less often while none does. `at` is milliseconds
 * since 1970.
 */
export type MeasureEvent =
  | {
      /** Where every task, edge and root stands. */
      readonly type: 'progress';
      readonly at: number;
      /** Since the start of this life of the run, in milliseconds. */
      readonly elapsedMs: number;
      /** By the name of the task. */
      readonly tasks: Readonly<Record<string, TaskProgress>>;
      /** One for each dependency of each task. */
      readonly edges: readonly EdgeProgress[];
      /** By the name of the root. */
      readonly roots: Readonly<Record<string, RootFigures>>;
      /** Since the last `progress`; absent where no task was under load. */
      readonly bottleneck?: Bottleneck;
    }
  | {
      /** The process; not told in virtual time. */
      readonly type: 'resources';
      readonly at: number;
      /** Of the whole process: runs beside one another share the figures. */
      readonly process: ResourceFigures;
      /** Of a run with threads. */
      readonly pool?: ExecutorStats;
    }
  | {
      /** Records that are among the slowest of their task so far and were not told yet. */
      readonly type: 'slow-records';
      readonly at: number;
      /** Of all tasks, in no order. */
      readonly records: readonly SlowRecord[];
    };

/** A checkpoint was written and would survive the loss of power. */
export interface CheckpointEvent {
  /** From here the run can be resumed. */
  readonly type: 'checkpoint';
  /** Milliseconds since 1970. */
  readonly at: number;
  /** By root: every lineage below is settled. */
  readonly watermarks: Readonly<Record<string, number>>;
  /** Records settled, over all roots. */
  readonly settled: number;
  /** How long taking it took. */
  readonly elapsedMs: number;
}

/** News of one worker thread of the run. */
export interface ThreadEvent {
  /** A worker thread can take work; can take work in place of one that died; has ended. */
  readonly type: ThreadNews;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The number of its slot. */
  readonly thread: number;
}

/** Records that were given up, stalls, subscribers that threw, and gaps in a recording. */
export type TroubleEvent =
  | {
      /** A task gave up a record. */
      readonly type: 'dead-letter';
      readonly at: number;
      /** The same that the store of dead letters got. */
      readonly letter: DeadLetter;
    }
  | {
      /** Nothing moves and nothing can: the run fails with MILLRACE_STALLED. */
      readonly type: 'stall';
      readonly at: number;
      /** Who waits for whom; empty where no task says what it waits for. */
      readonly stalled: readonly Stall[];
      /** The same for people. */
      readonly message: string;
    }
  | {
      /** A subscriber of an output or of the events threw; the run goes on. */
      readonly type: 'subscriber-error';
      readonly at: number;
      /** What it threw, in one line. */
      readonly message: string;
    }
  | {
      /** So many events are missing here, because whoever recorded them could not keep up. */
      readonly type: 'dropped';
      readonly at: number;
      /** Over all types. */
      readonly count: number;
      /** How many of each type. */
      readonly types: Readonly<Record<string, number>>;
    };

export type ThreadNews = 'thread-started' | 'thread-replaced' | 'thread-ended';

/** Who waits for whom. */
export interface Stall {
  /** Who waits. */
  readonly task: string;
  /** The record it waits with: the number its root gave it at birth. */
  readonly lineage: number;
  /** The names of the tasks it waits for. */
  readonly waitsFor: readonly string[];
}
