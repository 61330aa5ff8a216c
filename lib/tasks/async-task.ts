/** Tasks that run an asynchronous function, several records at a time. */
import type { OperatorFunction } from 'rxjs';
import { MillraceError } from '../model/errors.js';
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
import type { Operators, Task } from './task.js';
import { CONCURRENT_RULES, type ConcurrentOptions } from './task-options.js';

/** The work of an `asyncTask` on one record. */
export type AsyncFunction<In, Out> = (record: In, context: RecordContext) => Awaitable<Out | Skip>;

/** Options of an `asyncTask`. A function that is repeated should be safe to repeat: `context.attempt` counts. */
export interface AsyncOptions<In, Out> extends ConcurrentOptions<In, Out> {
  /**
   * Repeats what fails, after growing delays. Options repeat every error but those that say `retryable: false` and those
   * of a schema; a policy that was made elsewhere holds as it is. Default: one attempt.
   */
  readonly retry?: RetryPolicy | RetryOptions;
  /**
   * The most milliseconds of one attempt; then its `context.signal` aborts. A function that goes on all the same is one of
   * the `concurrency` until it ends; where such functions hold every place, the task waits, and the run fails with
   * MILLRACE_STALLED if none ends within five minutes. Default: none.
   */
  readonly timeoutMs?: number;
  /** The most milliseconds of all attempts of a record, delays included. Default: none. */
  readonly recordTimeoutMs?: number;
  /** Records a second. Default: no limit. */
  readonly rateLimit?: RateLimit | RateLimitOptions;
  /** A limit shared with other tasks. */
  readonly limiter?: SharedLimiter;
  /** A set to start from; the options above hold before it. What it does not name has no default here. */
  readonly policies?: CallPolicies | CallPolicy;
}

/** The longest a timer can be: 24 days. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

const RULES: OptionRules<AsyncOptions<never, unknown>> = {
  ...CONCURRENT_RULES,
  retry: anObject,
  timeoutMs: number(1, NO_TIMEOUT_MS),
  recordTimeoutMs: number(1, NO_TIMEOUT_MS),
  rateLimit: anObject,
  limiter: madeBy(SharedLimiter, 'sharedLimiter(…)'),
  policies: anything,
};

/**
 * An asynchronous function, for at most `concurrency` records at a time (default 64). Outputs leave as they finish,
 * or in input order with `ordered: true`. A rejection makes the record a dead letter, or what `onFailure` says, after
 * the attempts that `retry` allows. `context.signal` aborts when the run is cancelled or the attempt takes too long.
 * Throws MILLRACE_INVALID_OPTION for options that do not fit.
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
  return new AsyncTask<In, Exclude<Out, Skip>>(work as AsyncFunction<In, Exclude<Out, Skip>>, options);
}

class AsyncTask<In, Out> extends RecordTask<In, Out> {
  override readonly kind = 'async';
  private readonly work: AsyncFunction<In, Out>;
  /** Undefined where a record has one attempt and all the time it wants. */
  private readonly policies: CallPolicies | undefined;

  constructor(work: AsyncFunction<In, Out>, options: AsyncOptions<In, Out>) {
    super(options);
    this.work = work;
    this.policies = policiesOf(options);
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
      doubt: 'it may still go on, and what it gives then is dropped',
    };
    return operators.mapCalls<In, Out>(
      new operators.FunctionCaller<In, Out>(step),
      // That it is safe to repeat was said by asking for it.
      { policies, concurrency, ordered, upstream: `The function of '${scope.task}'`, words, isIdempotent: true },
      scope,
    );
  }
}

function policiesOf<In, Out>(options: AsyncOptions<In, Out>): CallPolicies | undefined {
  const { policies, concurrency, retry, timeoutMs, recordTimeoutMs, rateLimit, limiter } = options;
  const named = [policies, retry, timeoutMs, recordTimeoutMs, rateLimit, limiter];
  if (named.every((option) => option === undefined)) return undefined;
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

/** Of an error that says nothing of it, nobody knows: it is worth a try. */
function mayPass(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retryable;
  return !(typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false);
}
