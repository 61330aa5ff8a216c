/**
 * Admission: decides whether the next call may start. It combines the circuit, the pause and the pace that an upstream
 * asked for, the concurrency limit of the task, the shared limiter and the rate limit.
 *
 * Guarantees: each permit is released exactly once. A call that was refused is woken by the limit that refused it. If a
 * limit refuses a call, the limits checked before it take nothing from their budgets.
 */
import { describeThrown, type MillraceError } from '../model/errors.js';
import { UpstreamError } from '../model/upstream-error.js';
import type { TaskScope } from '../stream/task-scope.js';
import { AbandonedCalls } from './abandoned-calls.js';
import type { Attempt, Permit, RoundStart } from './call.js';
import { Circuit } from './circuit.js';
import type { FailureKind } from './failure-kind.js';
import { Pace } from './pace.js';
import { AdaptiveConcurrency, type ConcurrencyLimit } from './policies/adaptive-concurrency.js';
import type { CallPolicies } from './policies/call-policies.js';
import type { CircuitBreaker } from './policies/circuit-breaker.js';
import type { TokenBucket } from './policies/rate-limit.js';
import type { RetryPolicy } from './policies/retry-policy.js';
import type { SharedLimiter } from './policies/shared-limiter.js';

export interface GateParts {
  readonly policies: CallPolicies;
  /** The most calls in flight if no policy sets a limit. */
  readonly defaultConcurrency: number;
  /** The name of the upstream in messages: a URL without its query. */
  readonly upstream: string;
  readonly scope: TaskScope;
  /** Returns the number of waiting records without an attempt. */
  readonly fresh: () => number;
  /** Returns whether no more records arrive. */
  readonly isInputOver: () => boolean;
  /** Called when a waiting call should ask for admission again. */
  readonly wake: () => void;
  readonly fail: (error: MillraceError) => void;
}

/**
 * The shortest wait, in milliseconds. A virtual clock cannot represent shorter waits: its time would not change, and the
 * gate would ask for the same wait again without end.
 */
const LEAST_WAIT_MS = 0.01;

/**
 * The task pauses after this many consecutive refusals for load, or a quarter of the calls in flight if that is more.
 */
const REFUSALS_TO_PAUSE = 4;

export class CallGate {
  readonly circuit: Circuit | undefined;
  readonly counts = { throttled: 0, circuitOpened: 0 };
  private readonly parts: GateParts;
  private readonly retry: RetryPolicy;
  private readonly breaker: CircuitBreaker | undefined;
  private readonly limit: ConcurrencyLimit;
  private readonly isAdaptive: boolean;
  private readonly limiter: SharedLimiter | undefined;
  private readonly bucket: TokenBucket | undefined;
  private readonly abandoned: AbandonedCalls;
  private readonly pace = new Pace();
  private inFlight = 0;
  /** Below the limit after the upstream gave no answers for a while. Each answer raises it again. */
  private allowance = Infinity;
  /** Consecutive refusals for load, and the pauses since the last call that was accepted. */
  private refusals = 0;
  private pauses = 0;
  /** Whether a call was refused since the last accepted call, and the time of the first such refusal. */
  private isRefusing = false;
  private firstRefusalMs = 0;
  private lastAnswerMs = -Infinity;
  private pausedUntilMs = 0;
  private cancelTimer: (() => void) | undefined;
  private timerAtMs = Infinity;
  private isStopped = false;

  constructor(parts: GateParts) {
    const { policies, scope, upstream, defaultConcurrency } = parts;
    this.parts = parts;
    this.retry = policies.retry;
    this.breaker = policies.breaker;
    const { attemptMs } = policies.timeout.options;
    this.abandoned = new AbandonedCalls({ scope, attemptMs, wake: parts.wake, fail: parts.fail });
    const concurrency = policies.concurrency(defaultConcurrency);
    this.limit = concurrency.start();
    this.isAdaptive = concurrency instanceof AdaptiveConcurrency;
    this.limiter = policies.limiter;
    this.bucket = policies.rateLimit?.start(scope.clock.monotonicMs());
    const { breaker } = this;
    if (breaker !== undefined) {
      this.circuit = new Circuit(breaker, scope.clock, {
        upstream,
        fresh: parts.fresh,
        isInputOver: parts.isInputOver,
        window: scope.root.window,
        widen: () => scope.widen(),
        onChange: (state, message, isSilent) => {
          if (state === 'open') this.counts.circuitOpened++;
          if (state === 'closed') scope.narrow();
          // The waiting calls must not all start at once against an upstream that has just recovered.
          if (state === 'closed' && isSilent) this.allowance = Math.min(this.allowance, breaker.options.probes);
          scope.report({ type: 'circuit', upstream, state, message });
          if (state !== 'open') parts.wake();
        },
        onDown: parts.fail,
      });
    }
  }

  /** The limit of calls in flight for a healthy upstream: the configured one, or the one that was measured. */
  get healthyLimit(): number {
    return this.limit.limit;
  }

  /** The permits that can be acquired or are held by calls that are not abandoned. */
  get places(): number {
    return this.currentLimit - this.abandoned.count;
  }

  /**
   * True when only a timer, the circuit breaker or an abandoned call can unblock the next call. The watchdog must not
   * treat this as a stall.
   */
  get isWaiting(): boolean {
    if (this.cancelTimer !== undefined || this.abandoned.isBlocking) return true;
    return this.circuit !== undefined && this.circuit.state !== 'closed';
  }

  private get currentLimit(): number {
    return Math.min(this.limit.limit, Math.floor(this.allowance));
  }

  /** Returns a permit for one request with this many records. If it returns undefined, `wake` is called later. */
  acquire(records: number, nowMs: number): Permit | undefined {
    if (this.isStopped || this.circuit?.admits === false) return undefined;
    if (nowMs < this.pausedUntilMs) {
      this.wakeAfter(this.pausedUntilMs - nowMs, nowMs);
      return undefined;
    }
    if (this.inFlight >= this.currentLimit) {
      if (this.abandoned.count === this.inFlight)
        this.abandoned.block(this.inFlight, `'${this.parts.scope.task}'`, nowMs);
      return undefined;
    }
    const paceMs = this.pace.acquire(records, nowMs);
    if (paceMs > 0) {
      this.wakeAfter(paceMs, nowMs);
      return undefined;
    }
    const limiterMs = this.limiter?.acquire(records, nowMs, this.wakeFromLimiter) ?? 0;
    if (limiterMs > 0) {
      this.pace.giveBack(records);
      // If the delay is infinite, the limiter itself wakes this task.
      if (Number.isFinite(limiterMs)) this.wakeAfter(limiterMs, nowMs);
      else if (this.limiter?.isAbandoned === true) {
        this.abandoned.block(this.limiter.inFlight, `limiter '${this.limiter.name}'`, nowMs);
      }
      return undefined;
    }
    const rateMs = this.bucket?.acquire(records, nowMs) ?? 0;
    if (rateMs > 0) {
      this.pace.giveBack(records);
      this.limiter?.giveBack(records);
      this.wakeAfter(rateMs, nowMs);
      return undefined;
    }
    if (this.abandoned.isBlocking) this.abandoned.unblock();
    this.inFlight++;
    return { left: records, isProbe: this.circuit?.acquire(nowMs) ?? false, isKnown: false };
  }

  /** Call when one attempt of a request has ended. The last one releases the permit. */
  release(permit: Permit, nowMs: number): void {
    // `stop` has released all permits.
    if (this.isStopped || --permit.left > 0) return;
    this.inFlight--;
    this.circuit?.release(permit.isProbe, nowMs, permit.isKnown);
    this.limiter?.release();
  }

  /** Call instead of `release` if the work still runs: the permit stays in use until `releaseAbandoned`. */
  abandon(permit: Permit, nowMs: number): void {
    if (this.isStopped) return;
    // The circuit probes with another call.
    this.circuit?.release(permit.isProbe, nowMs, permit.isKnown);
    permit.isProbe = false;
    this.abandoned.count++;
    this.limiter?.abandon();
  }

  /** Call when the work of an abandoned call has ended. */
  releaseAbandoned(): void {
    if (this.isStopped) return;
    this.abandoned.count--;
    this.abandoned.unblock();
    this.inFlight--;
    this.limiter?.releaseAbandoned();
  }

  /** Call before `release`. */
  recordSuccess(attempt: Attempt<unknown>, latencyMs: number, nowMs: number): void {
    this.recordAnswer(attempt, nowMs);
    if (this.limit.recordSuccess(latencyMs, this.inFlight)) this.reportLimit();
  }

  /** Call before `release`. */
  recordFailure(attempt: Attempt<unknown>, kind: FailureKind, error: unknown, nowMs: number): void {
    const { permit, call } = attempt;
    switch (kind) {
      case 'unsent':
        return;
      case 'record':
        this.recordAnswer(attempt, nowMs);
        return;
      case 'credentials':
      case 'access':
        permit.isKnown = true;
        this.circuit?.recordUp(nowMs, permit.isProbe);
        return;
      case 'load':
        permit.isKnown = true;
        this.circuit?.recordUp(nowMs, permit.isProbe);
        this.throttle(error as UpstreamError, attempt.startedAtMs, nowMs);
        return;
      case 'answer':
      case 'silence':
        permit.isKnown = true;
        this.circuit?.recordFailure(nowMs, call, kind, error);
        if (kind === 'answer') this.recordAccepted(attempt.startedAtMs, nowMs);
        // A suspect fails because of its own record, and an answer is not a sign of overload.
        if (kind === 'answer' || call.isSuspect) this.growAllowance();
        else if (this.limit.recordOverload(this.inFlight)) this.reportLimit();
    }
  }

  private recordAnswer({ permit, startedAtMs }: Attempt<unknown>, nowMs: number): void {
    permit.isKnown = true;
    this.circuit?.recordAnswer(nowMs, startedAtMs, permit.isProbe);
    this.lastAnswerMs = nowMs;
    this.recordAccepted(startedAtMs, nowMs);
    this.growAllowance();
  }

  /** The upstream accepted a call, even if its answer is a failure. */
  private recordAccepted(startedAtMs: number, nowMs: number): void {
    this.pace.recordAccepted(startedAtMs, nowMs);
    this.refusals = 0;
    this.isRefusing = false;
    if (this.pauses === 0) return;
    this.pauses = 0;
    // The upstream accepts calls again, so only the pace limits them.
    if (nowMs < this.pausedUntilMs) {
      this.pausedUntilMs = nowMs;
      this.wakeAfter(0, nowMs);
    }
  }

  private growAllowance(): void {
    if (this.allowance === Infinity) return;
    if (++this.allowance >= this.limit.limit) this.allowance = Infinity;
  }

  /** Whether the upstream has answered any call since this time. */
  hasAnsweredSince(atMs: number): boolean {
    return this.lastAnswerMs >= atMs;
  }

  /** Milliseconds for which the circuit has not been closed, in total. */
  pausedMs(nowMs: number): number {
    return this.circuit?.pausedMs(nowMs) ?? 0;
  }

  /**
   * Milliseconds since the first attempt of a call or of a round, without the time in which the circuit was not closed.
   */
  elapsedMs(start: RoundStart, nowMs: number): number {
    return nowMs - start.firstAtMs - (this.pausedMs(nowMs) - start.pausedBeforeMs);
  }

  stop(): void {
    this.isStopped = true;
    this.circuit?.stop();
    this.cancelTimer?.();
    this.abandoned.unblock();
    this.limiter?.removeWaiter(this.wakeFromLimiter);
    if (this.isAdaptive) this.reportLimit();
    for (; this.inFlight > 0; this.inFlight--) {
      if (this.abandoned.count-- > 0) this.limiter?.releaseAbandoned();
      else this.limiter?.release();
    }
  }

  private readonly wakeFromLimiter = (): void => {
    this.abandoned.unblock();
    this.parts.wake();
  };

  /** The upstream works and asks for less load: calls start at the pace that it accepts, or the task pauses. */
  private throttle(error: UpstreamError, startedAtMs: number, nowMs: number): void {
    this.counts.throttled++;
    if (!this.isRefusing) this.firstRefusalMs = nowMs;
    this.isRefusing = true;
    const deadlineMs = this.breaker?.options.deadlineMs ?? Infinity;
    if (nowMs - this.firstRefusalMs >= deadlineMs) {
      this.parts.fail(this.overloadedError(error, deadlineMs));
      return;
    }
    this.pace.recordRefused(startedAtMs, nowMs);
    // All refusals that arrive during one pause count as one.
    if (nowMs < this.pausedUntilMs) return;
    // A single refusal delays only its own record. The task pauses after several refusals in a row.
    const most = this.pauses > 0 ? 1 : Math.max(REFUSALS_TO_PAUSE, this.inFlight / 4);
    if (++this.refusals < most) return;
    this.refusals = 0;
    const mostMs = Math.min(deadlineMs, this.pace.recordBlock(nowMs));
    const backoffMs = this.retry.backoffMs(++this.pauses, () => this.parts.scope.random());
    this.pause(Math.min(mostMs, error.retryAfterMs ?? backoffMs), nowMs);
  }

  private pause(delayMs: number, nowMs: number): void {
    if (nowMs + delayMs <= this.pausedUntilMs) return;
    const { scope, upstream } = this.parts;
    this.pausedUntilMs = nowMs + delayMs;
    scope.report({ type: 'throttled', upstream, delayMs });
    this.wakeAfter(delayMs, nowMs);
  }

  /** One timer serves all waiting calls: it is set to the earliest wake-up time. */
  private wakeAfter(delayMs: number, nowMs: number): void {
    const waitMs = Math.max(LEAST_WAIT_MS, delayMs);
    const atMs = nowMs + waitMs;
    if (this.isStopped || atMs >= this.timerAtMs) return;
    this.cancelTimer?.();
    this.timerAtMs = atMs;
    this.cancelTimer = this.parts.scope.clock.schedule(waitMs, () => {
      this.cancelTimer = undefined;
      this.timerAtMs = Infinity;
      this.parts.wake();
    });
  }

  private reportLimit(): void {
    const { scope, upstream } = this.parts;
    scope.report({ type: 'concurrency', upstream, limit: this.limit.limit });
  }

  private overloadedError(cause: UpstreamError, deadlineMs: number): UpstreamError {
    return new UpstreamError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.parts.upstream} has refused every call for ${Math.round(deadlineMs / 1000)} s because of its load, so the run stops; its unfinished records are not lost. ` +
        `The last call failed with: ${describeThrown(cause)}. ` +
        'Lower the rate, or raise `deadlineMs` of the circuit breaker',
      { cause, blame: 'load', retryable: true },
    );
  }
}
