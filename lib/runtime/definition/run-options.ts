/** What may be said of one run, and what of it may be wrong. */
import type { Checkpoint, CheckpointStore } from '../../model/checkpoint.js';
import type { ThreadLimits } from '../../execution/executor.js';
import {
  anObject,
  checkOptions,
  count,
  either,
  flag,
  number,
  objectWith,
  oneOf,
  text,
  type OptionRule,
  type OptionRules,
} from '../../options/options.js';
import type { Clock, DeadLetterStore, LetterHead } from '../../model/ports.js';
import type { Upstream } from '../../model/upstream.js';
import type { CheckpointSchedule } from '../resume/checkpointer.js';
import type { ThreadCount } from '../run/run-executor.js';
import type { RunTracer } from '../run/run-parts.js';

/** Options of `Workflow.run`, for this run alone. */
export interface RunOptions {
  /** Default: a new random one. */
  readonly runId?: string;
  /** Of the run's randomness. Default: drawn. */
  readonly seed?: number;
  /** Overrides the definition's window. */
  readonly window?: number;
  /**
   * The time of the run. Default: the clock of the machine; see `virtualClock` of
   * `millrace/testing`.
   */
  readonly clock?: Clock;
  /** Cancels the run when it aborts. */
  readonly signal?: AbortSignal;
  /** Overrides the definition's dead letters. */
  readonly deadLetters?: DeadLetterStore;
  /** Keeps the progress of the run, so that it can be resumed. */
  readonly checkpoints?: CheckpointStore;
  /**
   * When checkpoints are taken. Default: each second or each 10,000 settled records. Without
   * `checkpoints` it does nothing.
   */
  readonly checkpointEvery?: CheckpointSchedule;
  /** Goes on from this checkpoint of a run of the same workflow, configuration and input; id and seed are those of it. */
  readonly resumeFrom?: Checkpoint | undefined;
  /** Of a run that has finished: the dead letters whose records are done again, and nothing else; see `redoable`. */
  readonly redo?: readonly LetterHead[];
  /**
   * How many threads the run may start for its cpu tasks; 0 runs them inline. Default 'auto': one a core, or inline where
   * `clock` is given, because threads do not live in virtual time.
   */
  readonly threads?: ThreadCount;
  /** Limits of each thread. Default: Node's. */
  readonly threadLimits?: ThreadLimits;
  /** Answers every request of the run, which then uses no network: see `fakeUpstream` of `millrace/testing`. */
  readonly upstream?: Upstream;
  /** Traces the run and a sample of its records: see `openTelemetry` of `millrace/opentelemetry`. */
  readonly tracer?: RunTracer;
  /** Whether neighbours run as one: cpu tasks in one thread hop, sync tasks in one loop. Default true. */
  readonly fuse?: boolean;
}

const aCheckpoint: OptionRule = {
  expected: 'a checkpoint, as the store of a run reads it',
  accepts: (value) => typeof value === 'object' && value !== null && 'definition' in value && 'roots' in value,
};
const wholeNumber: OptionRule = { expected: 'a whole number', accepts: Number.isSafeInteger };

const RULES: OptionRules<RunOptions> = {
  runId: text,
  seed: wholeNumber,
  window: count(),
  clock: objectWith('now', 'monotonicMs', 'schedule', 'defer'),
  signal: objectWith('addEventListener', 'removeEventListener'),
  deadLetters: objectWith('write', 'whenReady', 'whenBroken', 'close'),
  checkpoints: objectWith('read', 'write'),
  checkpointEvery: anObject,
  resumeFrom: aCheckpoint,
  redo: { expected: 'an array of dead letters', accepts: Array.isArray },
  threads: either(count(0), oneOf('auto')),
  threadLimits: anObject,
  upstream: objectWith('answer'),
  tracer: objectWith('follow'),
  fuse: flag,
};
const SCHEDULE_RULES: OptionRules<CheckpointSchedule> = { everyMs: number(0), everyRecords: count() };
const MEBIBYTES = number(Number.MIN_VALUE);
const LIMIT_RULES: OptionRules<ThreadLimits> = {
  heapMb: MEBIBYTES,
  youngHeapMb: MEBIBYTES,
  codeMb: MEBIBYTES,
  stackMb: MEBIBYTES,
};

/** Throws MILLRACE_INVALID_OPTION. */
export function checkRunOptions(options: RunOptions): void {
  checkOptions('a run', options, RULES);
  const { checkpointEvery, threadLimits } = options;
  if (checkpointEvery !== undefined) checkOptions('`checkpointEvery`', checkpointEvery, SCHEDULE_RULES);
  if (threadLimits !== undefined) checkOptions('`threadLimits`', threadLimits, LIMIT_RULES);
}
