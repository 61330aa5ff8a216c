/**
 * Whether the next call may start: one gate made of the circuit, the pause an upstream asked for, the concurrency of the
 * task, a limiter shared with other tasks, and the rate limit.
 *
 * Promises: a slot that was given is given back exactly once; whoever was refused is woken when it is worth asking
 * again, by whatever held it back; nothing is taken from one limit when another refuses.
 */
import type { TaskScope } from '../stream/task-scope.js';
import { UpstreamError, blameOf } from '../model/upstream-error.js';
import { AbandonedCalls } from './abandoned-calls.js';
import { AdaptiveConcurrency, type ConcurrencyLimit } from './policies/adaptive-concurrency.js';
import type { Call, Flight } from './call.js';
import type { CallPolicies } from './policies/call-policies.js';
import { Circuit } from './policies/circuit-breaker.js';
import type { MillraceError } from '../model/errors.js';
import type { TokenBucket } from './policies/rate-limit.js';
import type { RetryPolicy } from './policies/retry-policy.js';
import type { SharedLimiter } from './policies/shared-limiter.js';

export interface GateParts {
  readonly policies: CallPolicies;
  /** Calls in flight where no policy names a number. */
  readonly defaultConcurrency: number;
  /** What is called, for messages: a URL without its query. */
  readonly upstream: string;
  readonly scope: TaskScope;
  /** It may be worth asking again. */
  readonly wake: () => void;
  readonly fail: (error: MillraceError) => void;
}

/** So many refusals for load in a row, or as many as a quarter of the calls in flight, and the task waits. */
const REFUSALS_TO_PAUSE = 4;

export class CallGate {
  readonly circuit: Circuit | undefined;
  throttled = 0;
  opened = 0;
  private readonly parts: GateParts;
  private readonly retry: RetryPolicy;
  private readonly limit: ConcurrencyLimit;
  private readonly isAdaptive: boolean;
  private readonly limiter: SharedLimiter | undefined;
  private readonly bucket: TokenBucket | undefined;
  private readonly abandoned: AbandonedCalls;
  private used = 0;
  /** Below the limit after the upstream was down or busy; grows back as calls succeed. */
  private allowance = Infinity;
  private allowanceStep = 0;
  /** Calls refused in a row for load, with no success between. */
  private refusals = 0;
  private firstRefusalMs = 0;
  private lastSuccessMs = -Infinity;
  private pausedUntilMs = 0;
  private cancelTimer: (() => void) | undefined;
  private timerAtMs = Infinity;
  private isStopped = false;

  constructor(parts: GateParts) {
    const { policies, scope, upstream, defaultConcurrency } = parts;
    this.parts = parts;
    this.retry = policies.retry;
    const { attemptMs } = policies.timeout;
    this.abandoned = new AbandonedCalls({ scope, attemptMs, wake: parts.wake, fail: parts.fail });
    const concurrency = policies.concurrency(defaultConcurrency);
    this.limit = concurrency.start();
    this.isAdaptive = concurrency instanceof AdaptiveConcurrency;
    this.limiter = policies.limiter;
    this.bucket = policies.rateLimit?.start(scope.clock.monotonicMs());
    const { breaker } = policies;
    if (breaker !== undefined) {
      this.circuit = new Circuit(breaker, scope.clock, {
        upstream,
        onChange: (state, message) => {
          if (state === 'open') this.opened++;
          // What waited must not all go at once to an upstream that has just come back.
          if (state === 'closed') this.shrinkTo(Math.max(1, breaker.probes), 1);
          scope.tell({ type: 'circuit', upstream, state, message });
          if (state !== 'open') parts.wake();
        },
        onDown: parts.fail,
      });
    }
  }

  /** Calls in flight now. */
  get inFlight(): number {
    return this.used;
  }

  /** Calls in flight that are allowed while the upstream is well: as named, or as found out. */
  get chosen(): number {
    return this.limit.limit;
  }

  get concurrency(): number {
    return Math.min(this.limit.limit, Math.floor(this.allowance));
  }

  /** Calls that may be under way and be waited for: without the slots of those that were given up and go on. */
  get places(): number {
    return this.concurrency - this.abandoned.count;
  }

  /** Whether the next call may start later, though nothing that the task is about will let it. */
  get waitsByItself(): boolean {
    if (this.cancelTimer !== undefined || this.abandoned.areWaitedFor) return true;
    return this.circuit !== undefined && this.circuit.state !== 'closed';
  }

  /** Lets a call of so many records start, or says that `wake` will be called. */
  enter(records: number, nowMs: number): Flight | undefined {
    if (this.isStopped || this.circuit?.admits === false) return undefined;
    if (nowMs < this.pausedUntilMs) {
      this.waitFor(this.pausedUntilMs - nowMs, nowMs);
      return undefined;
    }
    if (this.used >= this.concurrency) {
      if (this.abandoned.count === this.used) this.abandoned.block(this.used, `'${this.parts.scope.task}'`, nowMs);
      return undefined;
    }
    const rateMs = this.limiter?.enter(records, nowMs, this.wakeFromLimiter) ?? 0;
    if (rateMs > 0) {
      // Without a moment, the limiter itself will wake.
      if (Number.isFinite(rateMs)) this.waitFor(rateMs, nowMs);
      else if (this.limiter?.isAbandoned === true) {
        this.abandoned.block(this.limiter.inFlight, `limiter '${this.limiter.name}'`, nowMs);
      }
      return undefined;
    }
    const waitMs = this.bucket?.take(records, nowMs) ?? 0;
    if (waitMs > 0) {
      this.limiter?.leave();
      this.waitFor(waitMs, nowMs);
      return undefined;
    }
    if (this.abandoned.areWaitedFor) this.abandoned.unblock();
    this.used++;
    return { left: records, isProbe: this.circuit?.enter() ?? false };
  }

  /** One record of a flight is done; the last one gives the slot back. */
  leave(flight: Flight): void {
    // `stop` has given all of them back.
    if (this.isStopped || --flight.left > 0) return;
    this.used--;
    this.circuit?.leave(flight.isProbe);
    this.limiter?.leave();
  }

  /** Nobody waits for the call any more, but its work goes on: its slot stays taken until `release`. Instead of `leave`. */
  abandon(flight: Flight): void {
    if (this.isStopped) return;
    // The circuit asks again by another call.
    this.circuit?.leave(flight.isProbe);
    flight.isProbe = false;
    this.abandoned.count++;
    this.limiter?.abandon();
  }

  /** The work of an abandoned call is over. */
  release(): void {
    // `stop` has given its slot back.
    if (this.isStopped) return;
    this.abandoned.count--;
    this.abandoned.unblock();
    this.used--;
    this.limiter?.leave(true);
  }

  /** Whether the upstream has done its work for anybody since then. */
  hasSucceededSince(atMs: number): boolean {
    return this.lastSuccessMs >= atMs;
  }

  /** Call before `leave`. */
  succeed({ isProbe }: Flight, latencyMs: number, nowMs: number): void {
    this.circuit?.succeed(nowMs, isProbe);
    this.lastSuccessMs = nowMs;
    this.refusals = 0;
    if (this.allowance !== Infinity) {
      this.allowance += this.allowanceStep === 0 ? 1 / this.allowance : this.allowanceStep;
      if (this.allowance >= this.limit.limit) this.allowance = Infinity;
    }
    if (this.limit.succeed(latencyMs, this.used)) this.tellLimit();
  }

  /** Call before `leave`. */
  fail({ isProbe }: Flight, error: unknown, lineage: number, nowMs: number): void {
    switch (blameOf(error)) {
      case 'record':
        this.circuit?.succeed(nowMs, isProbe);
        this.refusals = 0;
        return;
      case 'upstream':
        this.circuit?.fail(nowMs, lineage, error, isProbe);
        if (error instanceof UpstreamError) this.pauseAsAsked(error, nowMs);
        break;
      case 'load':
        // Its answer shows that it is up.
        this.circuit?.succeed(nowMs, isProbe);
        this.throttle(error as UpstreamError, nowMs);
    }
    if (this.limit.overload(this.used)) this.tellLimit();
  }

  /** Milliseconds for which the circuit has kept everything waiting. */
  pausedMs(nowMs: number): number {
    return this.circuit?.pausedMs(nowMs) ?? 0;
  }

  /** Milliseconds since the first attempt of a call, without those in which nobody could do anything for it. */
  spentMs(call: Call<unknown>, nowMs: number): number {
    return nowMs - call.firstAtMs - (this.pausedMs(nowMs) - call.pausedBeforeMs);
  }

  stop(): void {
    this.isStopped = true;
    this.circuit?.stop();
    this.cancelTimer?.();
    this.abandoned.unblock();
    this.limiter?.forget(this.wakeFromLimiter);
    if (this.isAdaptive) this.tellLimit();
    for (; this.used > 0; this.used--) this.limiter?.leave(this.abandoned.count-- > 0);
  }

  private readonly wakeFromLimiter = (): void => {
    this.abandoned.unblock();
    this.parts.wake();
  };

  /** The upstream is well and asks for less: nothing starts for a while, and then fewer at once. */
  private throttle(error: UpstreamError, nowMs: number): void {
    this.throttled++;
    if (this.refusals === 0) this.firstRefusalMs = nowMs;
    const deadlineMs = this.parts.policies.breaker?.deadlineMs ?? Infinity;
    if (nowMs - this.firstRefusalMs >= deadlineMs) {
      this.parts.fail(this.refusedForTooLong(error, deadlineMs));
      return;
    }
    // Several refusals of one moment are one reason to slow down.
    if (nowMs < this.pausedUntilMs) return;
    // One now and then is about its own record, which waits; the task waits when nothing else comes back.
    if (++this.refusals < Math.max(REFUSALS_TO_PAUSE, this.used / 4)) return;
    const backoffMs = this.retry.backoffMs(this.refusals, () => this.parts.scope.random());
    this.pause(error.retryAfterMs === undefined ? backoffMs : Math.min(error.retryAfterMs, deadlineMs), nowMs);
    this.shrinkTo(Math.max(1, Math.floor(this.used / 2)), 0);
  }

  /** An upstream that is down says when it hopes to be back. No longer than between two probes: it may be wrong. */
  private pauseAsAsked({ retryAfterMs }: UpstreamError, nowMs: number): void {
    const { breaker } = this.parts.policies;
    if (breaker !== undefined && retryAfterMs !== undefined)
      this.pause(Math.min(retryAfterMs, breaker.maxPauseMs), nowMs);
  }

  private pause(delayMs: number, nowMs: number): void {
    if (nowMs + delayMs <= this.pausedUntilMs) return;
    const { scope, upstream } = this.parts;
    this.pausedUntilMs = nowMs + delayMs;
    scope.tell({ type: 'throttled', upstream, delayMs });
    this.waitFor(delayMs, nowMs);
  }

  private shrinkTo(allowance: number, step: number): void {
    this.allowance = Math.min(this.allowance, allowance);
    this.allowanceStep = step;
  }

  /** One timer, for the earliest moment anybody waits for. */
  private waitFor(delayMs: number, nowMs: number): void {
    const atMs = nowMs + delayMs;
    if (this.isStopped || atMs >= this.timerAtMs) return;
    this.cancelTimer?.();
    this.timerAtMs = atMs;
    this.cancelTimer = this.parts.scope.clock.schedule(delayMs, () => {
      this.cancelTimer = undefined;
      this.timerAtMs = Infinity;
      this.parts.wake();
    });
  }

  private tellLimit(): void {
    const { scope, upstream } = this.parts;
    scope.tell({ type: 'concurrency', upstream, limit: this.limit.limit });
  }

  private refusedForTooLong(cause: UpstreamError, deadlineMs: number): UpstreamError {
    return new UpstreamError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.parts.upstream} has refused every call for ${Math.round(deadlineMs / 1000)} s because of its load, so the run stops; what it had not finished is not lost. ` +
        'Lower the rate, or raise `deadlineMs` of the circuit breaker',
      { cause, blame: 'load', retryable: true },
    );
  }
}
