/**
 * Policies together: what holds for the calls of one task. Promises: a set is a value, made of policies and of other
 * sets, in which the last policy of a kind holds; what nobody named has a sensible default; it prints itself.
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

/** One policy of each kind; false: none, also not the default. */
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

/** One policy, as `retryPolicy`, `rateLimit` and the like make it. */
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

/** A set of at most one policy of each kind; a value that is never changed. */
export class CallPolicies {
  /** As named; what is missing has its default. */
  readonly given: PolicySlots;

  constructor(given: PolicySlots = {}) {
    this.given = given;
  }

  /** Default: 5 attempts within 120 s. */
  get retry(): RetryPolicy {
    return this.given.retry ?? new RetryPolicy();
  }
  /** Default: 30 s an attempt, no limit a record. */
  get timeout(): CallTimeout {
    return this.given.timeout ?? new CallTimeout();
  }
  /** Default: one with the defaults of `circuitBreaker`; undefined where it was refused. */
  get breaker(): CircuitBreaker | undefined {
    return this.given.breaker === false ? undefined : (this.given.breaker ?? new CircuitBreaker());
  }
  /** Undefined unless one was named. */
  get limiter(): SharedLimiter | undefined {
    return orNone(this.given.limiter);
  }
  /** Undefined unless one was named. */
  get rateLimit(): RateLimit | undefined {
    return orNone(this.given.rateLimit);
  }
  /** Undefined unless one was named: first come, first served. */
  get fairness(): Fairness | undefined {
    return orNone(this.given.fairness);
  }
  /** Undefined unless one was named: no call is made twice at a time. */
  get hedge(): HedgePolicy | undefined {
    return orNone(this.given.hedge);
  }
  /**
   * The named limit of calls in flight, or a fixed one of `fallback`. Throws MILLRACE_INVALID_OPTION where that is no
   * whole number of at least 1.
   *
   * @param fallback calls in flight where nobody named a number.
   */
  concurrency(fallback: number): FixedConcurrency | AdaptiveConcurrency {
    return this.given.concurrency ?? new FixedConcurrency(fallback);
  }

  /** The same set with these policies in place of those of their kind. */
  with(changes: PolicySlots): CallPolicies {
    return new CallPolicies({ ...this.given, ...changes });
  }

  /** All policies that hold, parted by ` · `; a limit of calls in flight only where named. */
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
 * A set of policies, for one task or for several. Throws MILLRACE_INVALID_OPTION for what is none.
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

function orNone<T>(policy: T | false | undefined): T | undefined {
  return policy === false ? undefined : policy;
}
