/** The options of every kind of task, and their rules. */
import { invalidOption } from '../model/errors.js';
import type { MemoOptions } from '../model/memo.js';
import type { Schema } from '../options/schema.js';
import {
  anything,
  checkOptions,
  count,
  either,
  flag,
  moduleUrl,
  objectWith,
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

/** The most keys of a task with a state per key, unless `maxKeys` is set. */
export const DEFAULT_MAX_KEYS = 10_000_000;

/** Options of tasks that can remember their outputs across runs. */
export interface RememberingOptions {
  /**
   * Keeps the outputs across runs, by a hash of the record and of the code. A record whose output is known does not
   * reach the task. Only for a function whose output depends on its record, its code, and what `version` names.
   * Default: nothing is remembered.
   */
  readonly memo?: MemoOptions;
}

/** Options of boundaries, whose state can survive the end of the process. */
export interface DurableOptions {
  /**
   * True keeps the state of the task in the checkpoints of the run: a resumed run continues from it. False keeps
   * nothing: a resumed run reads the input from its beginning and computes the state again. Default: true, unless the
   * task gets its records only from sources that can be read again and through deterministic tasks (`syncTask`). Only
   * runs with checkpoints use it.
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

/** The rules of `RememberingOptions`. Call `checkMemo` as well. */
export const REMEMBERING_RULES: OptionRules<RememberingOptions> = { memo: anything };

const MEMO_RULES: OptionRules<MemoOptions> = {
  store: objectWith('get', 'put'),
  module: moduleUrl,
  version: { expected: 'plain JSON data', accepts: isJson },
};

/**
 * Throws MILLRACE_INVALID_OPTION for a `memo` that does not fit.
 * @param of the owner, for messages: `a syncTask`.
 * @param knowsCode whether the task knows the module of its function, or has none.
 */
export function checkMemo(of: string, memo: MemoOptions | undefined, knowsCode = false): void {
  if (memo === undefined) return;
  checkOptions(`\`memo\` of ${of}`, memo, MEMO_RULES, ['store']);
  if (knowsCode || memo.module !== undefined || memo.version !== undefined) return;
  throw invalidOption(
    `Expected \`module\` or \`version\` in \`memo\` of ${of}, got neither: outputs of old code would be used as outputs of new code. Add \`module: import.meta.url\``,
  );
}

function isJson(value: unknown): boolean {
  try {
    return !hasLoss(value);
  } catch {
    // It contains itself.
    return false;
  }
}

/** Whether JSON would change the value, such as `undefined`, a Date or NaN in it. */
function hasLoss(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return false;
  if (typeof value === 'number') return !Number.isFinite(value);
  if (typeof value !== 'object') return true;
  if (Array.isArray(value)) return value.some(hasLoss);
  return 'toJSON' in value || Object.values(value).some(hasLoss);
}

/** The rules of `DurableOptions`. */
export const DURABLE_RULES: OptionRules<DurableOptions> = { durable: flag };

/** The rules of `ConcurrentOptions`. */
export const CONCURRENT_RULES: OptionRules<ConcurrentOptions<unknown, unknown>> = {
  ...TASK_RULES,
  concurrency: count(),
  ordered: flag,
};
