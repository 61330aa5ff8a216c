/** The options of every kind of task, and their rules. */
import type { Schema } from '../options/schema.js';
import {
  count,
  either,
  flag,
  oneOf,
  standardSchema,
  words,
  type OptionRule,
  type OptionRules,
} from '../options/options.js';

/**
 * The policy for a record that a task gives up: `dead-letter` (default) writes it with its reason, `skip` only counts
 * it, `fail` stops the run, and `{ fallback }` emits another value, or the result of a function of the record and the
 * error.
 */
export type FailurePolicy<Out> =
  | 'dead-letter'
  | 'skip'
  | 'fail'
  | {
      /**
       * An output, or a function that makes one from the record and the error. If the function throws, the run fails.
       */
      readonly fallback: Out | ((record: unknown, error: unknown) => Out);
    };

/** The options of every kind of task. */
export interface TaskOptions<In, Out> {
  /** One line for `list` and `graph`. */
  readonly description?: string;
  /** Default 'dead-letter'. */
  readonly onFailure?: FailurePolicy<Out>;
  /** Validates each record before the task receives it. */
  readonly input?: Schema<In>;
  /** Validates each output before the task emits it. */
  readonly output?: Schema<Out>;
}

/** Options of boundaries, whose state can survive the end of the process. */
export interface DurableOptions {
  /**
   * True keeps the state of the task in the checkpoints of the run: a resumed run continues from it. False keeps
   * nothing: a resumed run reads the input from its beginning and computes the state again. Default: false if
   * everything in front of the task is a source that can be read again and tasks that are deterministic (`syncTask`),
   * otherwise true. Only runs with checkpoints use it.
   */
  readonly durable?: boolean;
}

/** Options of tasks that work on several records at a time. */
export interface ConcurrentOptions<In, Out> extends TaskOptions<In, Out> {
  /** The most records in work at a time. Default 64. */
  readonly concurrency?: number;
  /** Emits in input order instead of completion order. Default false. */
  readonly ordered?: boolean;
}

const fallback: OptionRule = {
  expected: '{ fallback: … }',
  accepts: (value) => typeof value === 'object' && value !== null && 'fallback' in value,
};

/** The rules of `TaskOptions`. */
export const TASK_RULES: OptionRules<TaskOptions<unknown, unknown>> = {
  description: words,
  onFailure: either(oneOf('dead-letter', 'skip', 'fail'), fallback),
  input: standardSchema,
  output: standardSchema,
};

/** The rules of `DurableOptions`. */
export const DURABLE_RULES: OptionRules<DurableOptions> = { durable: flag };

/** The rules of `ConcurrentOptions`. */
export const CONCURRENT_RULES: OptionRules<ConcurrentOptions<unknown, unknown>> = {
  ...TASK_RULES,
  concurrency: count(),
  ordered: flag,
};
