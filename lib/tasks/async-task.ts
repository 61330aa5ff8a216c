/** Tasks that run an asynchronous function, several records at a time. */
import type { OperatorFunction } from 'rxjs';
import { fieldOf, MillraceError } from '../model/errors.js';
import type { TaskMemo } from '../model/memo.js';
import type { Awaitable, RecordContext } from '../model/ports.js';
import type { TaskScope } from '../stream/task-scope.js';
import type { Batch, Skip } from '../model/record.js';
import { FixedConcurrency } from '../calls/policies/adaptive-concurrency.js';
import { callPolicies, CallPolicies, type CallPolicy, type PolicySlots } from '../calls/policies/call-policies.js';
import { CallTimeout } from '../calls/policies/call-timeout.js';
import {
  anObject,
  anything,
  checkFunction,
  checkOptions,
  madeBy,
  number,
  type OptionRules,
} from '../options/options.js';
import { RateLimit, type RateLimitOptions } from '../calls/policies/rate-limit.js';
import { RetryPolicy, type RetryOptions } from '../calls/policies/retry-policy.js';
import { SharedLimiter } from '../calls/policies/shared-limiter.js';
import { compileStep } from './record-step.js';
import { DEFAULT_CONCURRENCY, RecordTask } from './record-task.js';
import type { Operators, Task, TaskBound } from './task.js';
import {
  checkMemo,
  CONCURRENT_RULES,
  REMEMBERING_RULES,
  type ConcurrentOptions,
  type RememberingOptions,
} from './task-options.js';

/** The work of an `asyncTask` on one record. */
export type AsyncFunction<In, Out> = (record: In, context: RecordContext) => Awaitable<Out | Skip>;

/**
 * Options of an `asyncTask`. With `retry`, the function should be safe to repeat: `context.attempt` is the number of
 * the attempt.
 */
export interface AsyncOptions<In, Out> extends ConcurrentOptions<In, Out>, RememberingOptions {
  /**
   * Repeats failed attempts, after growing delays. Given as options, it repeats every error except those with
   * `retryable: false` and those of a schema. Given as a policy, it decides by its own rules. Default: one attempt.
   */
  readonly retry?: RetryPolicy | RetryOptions;
  /**
   * The limit per attempt in milliseconds; then its `context.signal` aborts. A function that continues in spite of this
   * counts towards `concurrency` until it ends. If such functions fill `concurrency`, the task waits, and the run fails
   * with MILLRACE_STALLED if none of them ends within five minutes. Default: none.
   */
  readonly timeoutMs?: number;
  /** The limit per record in milliseconds, over all attempts and the delays between them. Default: none. */
  readonly recordTimeoutMs?: number;
  /** Records per second. Default: no limit. */
  readonly rateLimit?: RateLimit | RateLimitOptions;
  /** A limit shared with other tasks. */
  readonly limiter?: SharedLimiter;
  /** A set to start from. The options above override it. A policy that it does not contain is not used. */
  readonly policies?: CallPolicies | CallPolicy;
}

/** The longest delay of a timer: 24 days. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** The rules of `AsyncOptions` without `memo`, which an iterateTask does not have. */
export const ASYNC_RULES: OptionRules<Omit<AsyncOptions<never, unknown>, 'memo'>> = {
  ...CONCURRENT_RULES,
  retry: anObject,
  timeoutMs: number(1, NO_TIMEOUT_MS),
  recordTimeoutMs: number(1, NO_TIMEOUT_MS),
  rateLimit: anObject,
  limiter: madeBy(SharedLimiter, 'sharedLimiter(…)'),
  policies: anything,
};

const RULES: OptionRules<AsyncOptions<never, unknown>> = { ...ASYNC_RULES, ...REMEMBERING_RULES };

/**
 * Calls an asynchronous function for at most `concurrency` records at a time (default 64). Outputs are emitted as they
 * finish, or in input order with `ordered: true`. If the function rejects, also in the last attempt that `retry`
 * allows, `onFailure` decides: by default the record becomes a dead letter. `context.signal` aborts when the run is
 * cancelled or the attempt exceeds its limit. Throws MILLRACE_INVALID_OPTION for options that do not fit.
 *
 * @example asyncTask(async (id: string, { signal }) => (await fetch(`${api}/${id}`, { signal })).json())
 * @example asyncTask(save, { concurrency: 8, retry: { attempts: 4 }, timeoutMs: 5000 })
 */
export function asyncTask<In, Out>(
  work: AsyncFunction<In, Out>,
  options: AsyncOptions<In, Exclude<Out, Skip>> = {},
): Task<In, Exclude<Out, Skip>> {
  checkFunction('the work of an asyncTask', work);
  checkOptions('an asyncTask', options, RULES);
  checkMemo('an asyncTask', options.memo);
  return new AsyncTask<In, Exclude<Out, Skip>>(work as AsyncFunction<In, Exclude<Out, Skip>>, options);
}

class AsyncTask<In, Out> extends RecordTask<In, Out> {
  override readonly kind = 'async';
  override readonly makesCalls = true;
  private readonly work: AsyncFunction<In, Out>;
  /** Undefined if a record has one attempt and no limits. */
  private readonly policies: CallPolicies | undefined;
  private readonly remembers: AsyncOptions<In, Out>['memo'];

  constructor(work: AsyncFunction<In, Out>, options: AsyncOptions<In, Out>) {
    super(options);
    this.work = work;
    this.policies = policiesOf(options);
    this.remembers = options.memo;
  }

  override get memo(): TaskMemo | undefined {
    const { remembers: options } = this;
    return options && { options, parts: () => [String(this.work)], isOrdered: this.options.ordered === true };
  }

  override get bounds(): readonly TaskBound[] {
    const { policies, options } = this;
    if (policies === undefined) return super.bounds;
    const { max } = policies.concurrency(options.concurrency ?? DEFAULT_CONCURRENCY);
    return [{ what: 'records in work', most: max }];
  }

  protected override process(record: In, context: RecordContext): Awaitable<Out | Skip> {
    return this.work(record, context);
  }

  override operator(scope: TaskScope, operators: Operators): OperatorFunction<Batch<In>, Batch<Out>> {
    const { policies, options } = this;
    if (policies === undefined) return super.operator(scope, operators);
    const step = compileStep<In, Out>((record, context) => this.work(record, context), options, scope);
    const { concurrency = DEFAULT_CONCURRENCY, ordered = false } = options;
    const words = {
      silence: `The function of '${scope.task}' did not end`,
      doubt: 'it may still be running, and its result will be dropped',
    };
    return operators.mapCalls<In, Out>(
      new operators.FunctionCaller<In, Out>(step),
      // By setting `retry`, the user declares that the function is safe to repeat.
      { policies, concurrency, ordered, upstream: `The function of '${scope.task}'`, words, isIdempotent: true },
      scope,
    );
  }
}

function policiesOf<In, Out>(options: AsyncOptions<In, Out>): CallPolicies | undefined {
  const { policies, retry, timeoutMs, recordTimeoutMs, rateLimit, limiter } = options;
  const named = [policies, retry, timeoutMs, recordTimeoutMs, rateLimit, limiter];
  return named.every((option) => option === undefined) ? undefined : callPoliciesOf(options);
}

/** The policies for calls of a function. By default a call has one attempt and no limits. */
export function callPoliciesOf<In, Out>(options: AsyncOptions<In, Out>): CallPolicies {
  const { policies, concurrency, retry, timeoutMs, recordTimeoutMs, rateLimit, limiter } = options;
  const given = policies === undefined ? {} : callPolicies(policies).given;
  const { attemptMs = NO_TIMEOUT_MS, recordMs = Infinity } = given.timeout?.options ?? {};
  const slots: PolicySlots = {
    retry: new RetryPolicy({ attempts: 1 }),
    breaker: false,
    ...given,
    timeout: new CallTimeout({ attemptMs: timeoutMs ?? attemptMs, recordMs: recordTimeoutMs ?? recordMs }),
    ...(concurrency === undefined ? {} : { concurrency: new FixedConcurrency(concurrency) }),
    ...(retry === undefined ? {} : { retry: retryOf(retry) }),
    ...(rateLimit === undefined
      ? {}
      : { rateLimit: rateLimit instanceof RateLimit ? rateLimit : new RateLimit(rateLimit) }),
    ...(limiter === undefined ? {} : { limiter }),
  };
  return new CallPolicies(slots);
}

function retryOf(retry: RetryPolicy | RetryOptions): RetryPolicy {
  return retry instanceof RetryPolicy ? retry : new RetryPolicy(retry, mayPass);
}

/** Errors without a `retryable` flag are retried. */
function mayPass(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retryable;
  return fieldOf(error, 'retryable') !== false;
}
