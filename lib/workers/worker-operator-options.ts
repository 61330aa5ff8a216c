/** The options of `workerOperator`, and the rules for them. */
import type { ThreadLimits } from '../execution/executor.js';
import {
  anObject,
  anything,
  callback,
  checkOptions,
  count,
  either,
  flag,
  oneOf,
  type OptionRules,
} from '../options/options.js';
import type { OverflowPolicy } from '../stream/outbox.js';

/** Options of `workerOperator`. */
export interface WorkerOperatorOptions<In, Out> {
  /** The number of threads. Default 'auto', one per core; 0 runs inline. */
  readonly threads?: number | 'auto';
  /** Limits of each thread, in MiB. */
  readonly limits?: ThreadLimits;
  /** Whether results are emitted in input order. Default true. */
  readonly ordered?: boolean;
  /** The most records in the operator: in threads, or finished and waiting for their turn. Default 2,048. */
  readonly window?: number;
  /** The most records of an Observable that wait outside of the window. Default 65,536. */
  readonly buffer?: number;
  /** The policy for a record that arrives while the buffer is full. Default 'error'. */
  readonly overflow?: OverflowPolicy;
  /** The time limit per record in milliseconds; its thread is stopped at the limit. Default: no limit. */
  readonly timeoutMs?: number;
  /** The parts of a record that are moved to the thread instead of copied. */
  readonly transfer?: (record: In) => readonly object[];
  /** Receives each record that fails, and the others continue. Default: the first failure ends the Observable with its error. */
  readonly onFailure?: (error: unknown, record: In) => void;
  /** Not used at run time: fixes the type of the outputs. */
  readonly emits?: (output: Out) => void;
}

const RULES: OptionRules<WorkerOperatorOptions<never, never>> = {
  threads: either(count(0), oneOf('auto')),
  limits: anObject,
  ordered: flag,
  window: count(),
  buffer: count(),
  overflow: oneOf('error', 'drop-newest', 'drop-oldest'),
  timeoutMs: count(),
  transfer: callback,
  onFailure: callback,
  emits: anything,
};

/** Throws MILLRACE_INVALID_OPTION if an option does not fit. */
export function checkOperatorOptions(options: WorkerOperatorOptions<never, never>): void {
  checkOptions('a workerOperator', options, RULES);
}
