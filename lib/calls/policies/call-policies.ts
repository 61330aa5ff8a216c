/**
 * The set of policies for the calls of one task.
 *
 * Guarantees: a set is an immutable value, made of policies and other sets. The last policy of each kind applies. Kinds
 * that are not named have a default.
 */
import { MillraceError, describeValue } from '../../model/errors.js';
import { AdaptiveConcurrency, FixedConcurrency } from './adaptive-concurrency.js';
import { CallTimeout } from './call-timeout.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { Fairness } from './fairness.js';
import { HedgePolicy } from './hedge-policy.js';
import { RateLimit } from './rate-limit.js';
import { RetryPolicy } from './retry-policy.js';
import { SharedLimiter } from './shared-limiter.js';

/** One policy per kind. False disables the kind, its default included. */
export interface PolicySlots {
  readonly concurrency?: FixedConcurrency | AdaptiveConcurrency;
  readonly limiter?: SharedLimiter | false;
  readonly rateLimit?: RateLimit | false;
  readonly fairness?: Fairness | false;
  readonly timeout?: CallTimeout;
  readonly retry?: RetryPolicy;
  readonly breaker?: CircuitBreaker | false;
  readonly hedge?: HedgePolicy | false;
}

/** A policy made by `retryPolicy`, `rateLimit` and the like. */
export type CallPolicy = Exclude<PolicySlots[keyof PolicySlots], false | undefined>;

const SLOTS: readonly [keyof PolicySlots, abstract new (...given: never[]) => CallPolicy][] = [
  ['concurrency', FixedConcurrency],
  ['concurrency', AdaptiveConcurrency],
  ['limiter', SharedLimiter],
  ['rateLimit', RateLimit],
  ['fairness', Fairness],
  ['timeout', CallTimeout],
  ['retry', RetryPolicy],
  ['breaker', CircuitBreaker],
  ['hedge', HedgePolicy],
];

/** An immutable set of at most one policy per kind. */
export class CallPolicies {
  /** The policies as given. */
  readonly given: PolicySlots;

  constructor(given: PolicySlots = {}) {
    this.given = given;
  }

  /** Default: 5 attempts within 120 s. */
  get retry(): RetryPolicy {
    return this.given.retry ?? new RetryPolicy();
  }
  /** Default: 30 s per attempt, no limit per record. */
  get timeout(): CallTimeout {
    return this.given.timeout ?? new CallTimeout();
  }
  /** Default: `circuitBreaker()`. Undefined if it is disabled. */
  get breaker(): CircuitBreaker | undefined {
    return this.given.breaker === false ? undefined : (this.given.breaker ?? new CircuitBreaker());
  }
  /** Undefined unless given. */
  get limiter(): SharedLimiter | undefined {
    return unlessDisabled(this.given.limiter);
  }
  /** Undefined unless given. */
  get rateLimit(): RateLimit | undefined {
    return unlessDisabled(this.given.rateLimit);
  }
  /** Undefined unless given: then records are served in arrival order. */
  get fairness(): Fairness | undefined {
    return unlessDisabled(this.given.fairness);
  }
  /** Undefined unless given: then no call has two attempts at a time. */
  get hedge(): HedgePolicy | undefined {
    return unlessDisabled(this.given.hedge);
  }
  /**
   * The limit of calls in flight. Throws MILLRACE_INVALID_OPTION if `fallback` is used and is not a whole number of at
   * least 1.
   *
   * @param fallback the limit if none was given.
   */
  concurrency(fallback: number): FixedConcurrency | AdaptiveConcurrency {
    return this.given.concurrency ?? new FixedConcurrency(fallback);
  }

  /** A copy of the set in which these policies replace those of the same kind. */
  with(changes: PolicySlots): CallPolicies {
    return new CallPolicies({ ...this.given, ...changes });
  }

  /** All policies that apply, separated by ` · `. A limit of calls in flight is listed only if given. */
  toString(): string {
    const { limiter, rateLimit, fairness, timeout, retry, breaker, hedge } = this;
    return [
      this.given.concurrency,
      limiter,
      rateLimit,
      fairness,
      timeout,
      retry,
      breaker ?? 'no circuit breaker',
      hedge,
    ]
      .filter((policy) => policy !== undefined)
      .map(String)
      .join(' · ');
  }
}

/**
 * A set of policies, for one or several tasks. Throws MILLRACE_INVALID_OPTION if an argument is not a policy or a set.
 *
 * @example
 * const careful = callPolicies(retryPolicy({ attempts: 8 }), rateLimit({ perSecond: 50 }));
 * const hasty = callPolicies(careful, callTimeout({ attemptMs: 500 }));
 */
export function callPolicies(...parts: readonly (CallPolicy | CallPolicies)[]): CallPolicies {
  return parts.reduce<CallPolicies>((set, part) => {
    if (part instanceof CallPolicies) return set.with(part.given);
    const slot = SLOTS.find(([, type]) => part instanceof type);
    if (slot !== undefined) return set.with({ [slot[0]]: part });
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected a policy such as retryPolicy(…) or rateLimit(…), got ${describeValue(part)}`,
    );
  }, new CallPolicies());
}

function unlessDisabled<T>(policy: T | false | undefined): T | undefined {
  return policy === false ? undefined : policy;
}
