/**
 * The events of a run: one typed union. Every member is plain data that survives JSON, except that the `record` of a
 * dead letter may be any value. `at` is milliseconds since 1970 by the clock of the run. Single records have no events:
 * `progress` reports them as sums. docs/events.md is the table of all events; a spec compares it with this file.
 */
import type { TaskCounts } from './metrics.js';
import type { CallEvent } from './call-event.js';
import type { ExecutorStats } from './thread-stats.js';
import type { GraphNode, JoinMode } from './graph.js';
import type { Bottleneck, EdgeProgress, ResourceFigures, RootFigures, SlowRecord, TaskProgress } from './metrics.js';
import type { DeadLetter, RunOutcome } from './ports.js';
import type { RunSummary } from './run-summary.js';
import type { RuleCondition } from './phases.js';

/**
 * The version of the events; `run-started` carries it. A new type of event or a new field does not change the version,
 * because readers ignore what they do not know. A new meaning of an old field does.
 */
export const EVENT_VERSION = 1;

/**
 * Every event of `run.events$`, distinguished by `type`. `at` is milliseconds since 1970 by the clock of the run.
 * Readers should ignore types they do not know.
 */
export type RunEvent =
  LifecycleEvent | TaskEvent | CallEvent | MeasureEvent | CheckpointEvent | ThreadEvent | TroubleEvent;

/** One task of the graph, with all that a reader needs to draw it. */
export interface GraphTask {
  /** Unique in its workflow; events and summaries refer to the task by it. */
  readonly name: string;
  /** 'source', 'sync', 'request' and so on; 'custom' for a task without a kind of its own. */
  readonly kind: string;
  /** The names of the tasks it depends on, in the order of declaration. */
  readonly dependencies: readonly string[];
  /**
   * The outputs that it reads, such as `Route.large`, if one of them is a named output; in the order of declaration.
   */
  readonly inputs?: readonly string[];
  /** The inputs of an aligned join whose records may be missing, if there are any. */
  readonly optional?: readonly string[];
  /** The tasks that it runs after, as wholes, if there are any. */
  readonly after?: readonly string[];
  /** How these have to end; present if `after` is. */
  readonly when?: RuleCondition;
  /** How the records of the dependencies meet; 'aligned' by default. */
  readonly join: JoinMode;
  /** Lineages are born in `source` and `boundary` tasks; `inherits` keeps them. */
  readonly bearing: GraphNode['bearing'];
  /** The root of the incoming records; absent for a source. */
  readonly inputRoot?: string;
  /** The root of the outgoing records. */
  readonly outputRoot: string;
  /** True if it sends each record to another system and waits for the answer; absent otherwise. */
  readonly callsUpstream?: boolean;
  /** The external data that the task reads or writes, if it declares any. */
  readonly dataset?: Dataset;
  /**
   * For the end of a sub-workflow: the names of its other tasks. The first one is the task at which its records come
   * in. Absent otherwise.
   */
  readonly members?: readonly string[];
}

/** The external data that a source reads or a sink writes: a file, a topic, a table. */
export interface Dataset {
  /** The kind of store, with its address where it has one: `file`, `kafka://broker:9092`, `postgres://host:5432`. */
  readonly namespace: string;
  /** The name inside the namespace: the absolute path of a file, a topic, `database.schema.table`. */
  readonly name: string;
  /** The names of the columns, if they are known before the data is read. */
  readonly fields?: readonly string[];
}

/** The events of the run as a whole. `at` is milliseconds since 1970. */
export type LifecycleEvent =
  | {
      /** The first event of every run; it describes the run completely for remote readers. */
      readonly type: 'run-started';
      /** A new version means that old fields have a new meaning; new types and new fields do not change it. */
      readonly version: typeof EVENT_VERSION;
      readonly at: number;
      /** The same in every incarnation of a resumed run. */
      readonly runId: string;
      /** The name of the workflow. */
      readonly workflow: string;
      /** The description of the workflow; '' if it has none. */
      readonly description: string;
      /** Dependencies come before their dependents. */
      readonly graph: readonly GraphTask[];
      /** Chains of tasks that share one round trip to a thread. */
      readonly hops: readonly (readonly string[])[];
      /** The most records in flight per root. */
      readonly window: number;
      /** The `threads` option: 'auto' means one per core, 0 inline. */
      readonly threads: number | 'auto';
      /** The seed of the run's randomness. Another run with this `seed` in its `RunOptions` gets the same sequence. */
      readonly seed: number;
      /** The configuration, with secrets masked. */
      readonly config: unknown;
    }
  | {
      /** The run continues from a checkpoint, after its process died or it failed. */
      readonly type: 'resumed';
      readonly at: number;
      /** The number of this incarnation of the run, from 1. */
      readonly incarnation: number;
      /** When the checkpoint was made, milliseconds since 1970. */
      readonly from: number;
    }
  | {
      /** Sources were asked to stop; records in flight still settle. */
      readonly type: 'draining';
      readonly at: number;
    }
  | {
      /** A message for people, from the run or its workflow. */
      readonly type: 'notice';
      readonly at: number;
      /** One sentence. */
      readonly message: string;
    }
  | {
      /** The last event. */
      readonly type: 'run-ended';
      readonly at: number;
      /** The same as in `run-started`. */
      readonly runId: string;
      /** The same as in the summary. */
      readonly outcome: RunOutcome;
      /** The first failure; present if the outcome is 'failed'. */
      readonly error?: { readonly code: string; readonly message: string };
      /** The same value that `finished` resolves with. */
      readonly summary: RunSummary;
    };

/** The beginning and the end of one task, or why it does not run. A run whose tasks cannot open emits neither. */
export type TaskEvent =
  | {
      /** The task is open and accepts records. */
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
      /** Counts since the start of this incarnation of the run. */
      readonly counts: TaskCounts;
    }
  | {
      /** The rule of the task, or of a task that it gets records from, was not met, so it does not run. */
      readonly type: 'task-skipped';
      readonly at: number;
      /** The name of the task. */
      readonly task: string;
      /** The rule that was not met, as one clause. */
      readonly reason: string;
    };

/**
 * Measurements. They are emitted about once a second while records move, less often otherwise. `at` is milliseconds
 * since 1970.
 */
export type MeasureEvent =
  | {
      /** The state of every task, edge and root. */
      readonly type: 'progress';
      readonly at: number;
      /** Time since the start of this incarnation of the run, in milliseconds. */
      readonly elapsedMs: number;
      /** One entry per task, by name. */
      readonly tasks: Readonly<Record<string, TaskProgress>>;
      /** One entry per dependency of each task. */
      readonly edges: readonly EdgeProgress[];
      /** One entry per root, by name. */
      readonly roots: Readonly<Record<string, RootFigures>>;
      /** The bottleneck since the last `progress`; absent if no task was under load. */
      readonly bottleneck?: Bottleneck;
    }
  | {
      /** The resources of the process; not emitted in virtual time. */
      readonly type: 'resources';
      readonly at: number;
      /** Figures of the whole process, including other runs in it. */
      readonly process: ResourceFigures;
      /** Figures of the threads; absent if the run has none. */
      readonly pool?: ExecutorStats;
    }
  | {
      /** Records that are now among the slowest of their task and were not reported before. */
      readonly type: 'slow-records';
      readonly at: number;
      /** Records of all tasks, in no order. */
      readonly records: readonly SlowRecord[];
    };

/** A checkpoint was written and would survive the loss of power. */
export interface CheckpointEvent {
  /** The run can be resumed from here. */
  readonly type: 'checkpoint';
  /** Milliseconds since 1970. */
  readonly at: number;
  /** By root: every lineage below this number has settled. */
  readonly watermarks: Readonly<Record<string, number>>;
  /** Settled records of all roots. */
  readonly settled: number;
  /** The duration of the checkpoint, in milliseconds. */
  readonly elapsedMs: number;
}

/** An event of one worker thread of the run. */
export interface ThreadEvent {
  /**
   * `thread-started`: it is ready for work. `thread-replaced`: it is ready in place of a thread that died.
   * `thread-ended`.
   */
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
      /** The same letter that the dead-letter store received. */
      readonly letter: DeadLetter;
    }
  | {
      /** No record can move: the run fails with MILLRACE_STALLED. */
      readonly type: 'stall';
      readonly at: number;
      /** One entry per waiting task; empty if no task reports its reason for waiting. */
      readonly stalled: readonly Stall[];
      /** The same in words. */
      readonly message: string;
    }
  | {
      /** A subscriber of an output or of the events threw; the run continues. */
      readonly type: 'subscriber-error';
      readonly at: number;
      /** The thrown value, described in one line. */
      readonly message: string;
    }
  | {
      /** A gap in a recording: these events are missing, because the recorder could not keep up. */
      readonly type: 'dropped';
      readonly at: number;
      /** Missing events of all types. */
      readonly count: number;
      /** Missing events by type. */
      readonly types: Readonly<Record<string, number>>;
    };

export type ThreadNews = 'thread-started' | 'thread-replaced' | 'thread-ended';

/** A task that waits, and the tasks it waits for. */
export interface Stall {
  /** The waiting task. */
  readonly task: string;
  /** The record it waits with: the number of the record in its root. */
  readonly lineage: number;
  /** The names of the tasks it waits for. */
  readonly waitsFor: readonly string[];
}
