/** Options of one run, and their validation. */
import type { Checkpoint, CheckpointStore } from '../../model/checkpoint.js';
import { MillraceError } from '../../model/errors.js';
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
import type { Carrier } from '../run/carrier.js';
import type { RunTracer } from '../run/run-parts.js';
import type { Secrets } from '../../text/secrets.js';

/** Options of `Workflow.run`, for this run alone. */
export interface RunOptions {
  /** The id of the run. Default: a new random id. */
  readonly runId?: string;
  /** The seed of all random decisions of the run. Default: random. */
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
  /**
   * The milliseconds that a draining run may take to settle the records in flight; then it is aborted. Default: no
   * limit. The command line uses 8,000 (`--grace`).
   */
  readonly graceMs?: number;
  /** Overrides the definition's dead letters. */
  readonly deadLetters?: DeadLetterStore;
  /** Keeps the progress of the run, so that it can be resumed. */
  readonly checkpoints?: CheckpointStore;
  /**
   * When checkpoints are written. Default: each second or each 10,000 settled records. Ignored without `checkpoints`.
   */
  readonly checkpointEvery?: CheckpointSchedule;
  /**
   * Resumes from this checkpoint of a run of the same workflow, configuration and input. The run keeps its id and seed.
   */
  readonly resumeFrom?: Checkpoint | undefined;
  /** For a finished run: the dead letters whose records, and no others, are processed again; see `redoable`. */
  readonly redo?: readonly LetterHead[];
  /**
   * The most threads that the run may start for its cpu tasks; 0 runs them inline. Default 'auto': one thread per core,
   * or inline if `clock` is given, because threads cannot follow virtual time.
   */
  readonly threads?: ThreadCount;
  /** Limits of each thread. Default: those of Node. */
  readonly threadLimits?: ThreadLimits;
  /** Answers every request of the run, which then uses no network: see `fakeUpstream` of `millrace/testing`. */
  readonly upstream?: Upstream;
  /** Traces the run and a sample of its records: see `openTelemetry` of `millrace/opentelemetry`. */
  readonly tracer?: RunTracer;
  /**
   * More values to mask in the events, dead letters and summary of the run. The run adds what its configuration and its
   * requests name. Default: only those.
   */
  readonly secrets?: Secrets;
  /**
   * Executes the tasks in other places than this process: see `kafkaCarrier` of `millrace/lanes`. It can be combined
   * with `runId`, `signal`, `graceMs`, `deadLetters`, `upstream` and `secrets`. Default: this process.
   */
  readonly carrier?: Carrier;
  /** Whether neighbouring tasks are fused: cpu tasks into one thread hop, sync tasks into one loop. Default true. */
  readonly fuse?: boolean;
  /**
   * Freezes each record that leaves a task, so that a task that changes a record in place fails with it. For tests: it
   * costs time per record. Default false.
   */
  readonly freezeRecords?: boolean;
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
  graceMs: number(0),
  deadLetters: objectWith('write', 'whenReady', 'whenBroken', 'close'),
  checkpoints: objectWith('read', 'write'),
  checkpointEvery: anObject,
  resumeFrom: aCheckpoint,
  redo: { expected: 'an array of dead letters', accepts: Array.isArray },
  threads: either(count(0), oneOf('auto')),
  threadLimits: anObject,
  upstream: objectWith('answer'),
  tracer: objectWith('follow'),
  secrets: objectWith('add', 'text', 'data'),
  carrier: objectWith('carry'),
  fuse: flag,
  freezeRecords: flag,
};
const SCHEDULE_RULES: OptionRules<CheckpointSchedule> = { everyMs: number(0), everyRecords: count() };
const MEBIBYTES = number(Number.MIN_VALUE);
const LIMIT_RULES: OptionRules<ThreadLimits> = {
  heapMb: MEBIBYTES,
  youngHeapMb: MEBIBYTES,
  codeMb: MEBIBYTES,
  stackMb: MEBIBYTES,
};

/** The options that have a meaning in a run with a carrier. */
const WITH_CARRIER: readonly string[] = [
  'carrier',
  ...(['runId', 'signal', 'graceMs', 'deadLetters', 'upstream', 'secrets'] satisfies (keyof RunOptions)[]),
];

/** Throws MILLRACE_INVALID_OPTION. */
export function checkRunOptions(options: RunOptions): void {
  checkOptions('a run', options, RULES);
  const { checkpointEvery, threadLimits } = options;
  if (options.carrier !== undefined) {
    const other = Object.entries(options).find(([name, value]) => value !== undefined && !WITH_CARRIER.includes(name));
    if (other !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`carrier\` of a run without \`${other[0]}\`, which is for the tasks of this process. Remove one`,
      );
    }
  }
  if (checkpointEvery !== undefined) checkOptions('`checkpointEvery`', checkpointEvery, SCHEDULE_RULES);
  if (threadLimits !== undefined) checkOptions('`threadLimits`', threadLimits, LIMIT_RULES);
}
