/** The options that every kind of task takes, and what they may be. */
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
 * What happens to a record that a task gives up:
 * `dead-letter` (default) writes it with its reason and goes on, `skip` counts it, `fail` stops the run, and
 * `{ fallback }` goes on with another value (or with what the function makes of the record and the error).
 */
export type FailurePolicy<Out> =
  | 'dead-letter'
  | 'skip'
  | 'fail'
  | {
      /** An output, or what makes one of the record and the error; where that throws, the run fails. */
      readonly fallback: Out | ((record: unknown, error: unknown) => Out);
    };

/** Options every kind of task takes. */
export interface TaskOptions<In, Out> {
  /** One line for `list` and `graph`. */
  readonly description?: string;
  /** Default 'dead-letter'. */
  readonly onFailure?: FailurePolicy<Out>;
  /** Checks each record before the task sees it. */
  readonly input?: Schema<In>;
  /** Checks each output before it leaves the task. */
  readonly output?: Schema<Out>;
}

/** Options of tasks that work on several records at a time. */
export interface ConcurrentOptions<In, Out> extends TaskOptions<In, Out> {
  /** The most records started and not finished. Default 64. */
  readonly concurrency?: number;
  /** Emit in input order instead of as records finish. Default false. */
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

/** The rules of `ConcurrentOptions`. */
export const CONCURRENT_RULES: OptionRules<ConcurrentOptions<unknown, unknown>> = {
  ...TASK_RULES,
  concurrency: count(),
  ordered: flag,
};
