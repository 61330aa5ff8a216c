/** The options of a workerOperator, and what they must be. */
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
  /** Default 'auto', one a core; 0 runs inline. */
  readonly threads?: number | 'auto';
  /** Limits of each thread, in MiB. */
  readonly limits?: ThreadLimits;
  /** Emit in input order. Default true. */
  readonly ordered?: boolean;
  /** The most records under way, in threads and finished before their turn. Default 2,048. */
  readonly window?: number;
  /** The most records of an Observable that wait beyond the window. Default 65,536. */
  readonly buffer?: number;
  /** What happens to a record that finds the buffer full. Default 'error'. */
  readonly overflow?: OverflowPolicy;
  /** The longest one record may take, in milliseconds; its thread is then stopped. Default: no limit. */
  readonly timeoutMs?: number;
  /** What of a record is moved to the thread instead of copied. */
  readonly transfer?: (record: In) => readonly object[];
  /** Takes records that fail, and the others go on. Default: the first failure is the error of the Observable. */
  readonly onFailure?: (error: unknown, record: In) => void;
  /** Only for the compiler. */
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

export function checkOperatorOptions(options: WorkerOperatorOptions<never, never>): void {
  checkOptions('a workerOperator', options, RULES);
}
