/**
 * Closed, open, half-open (M. Nygard, "Release It!"): while the upstream is down the task starts nothing and its records
 * wait, so an outage does not turn a million records into dead letters.
 *
 * Promises: only failures that are the upstream's count, and several failures of one cause (a lost connection, a failed
 * batch) count once; it never opens over a single record; while it is open nothing starts but `probes` at a time, one
 * pause apart; it never stays open past `deadlineMs`: then the run fails, and says which upstream is down.
 */
import { describeThrown, MillraceError } from '../../model/errors.js';
import type { CircuitState } from '../../model/call-event.js';
import type { Clock } from '../../model/ports.js';
import { checkNumber, checkOptions, count, number, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/describe-ms.js';

/** When `circuitBreaker` opens, how it tries again, and when the run fails. */
export interface CircuitBreakerOptions {
  /** So many failures in a row open it. Default 10. */
  readonly failures?: number;
  /** So large a share of failures among the last `sample` outcomes opens it too. Default 0.8. */
  readonly share?: number;
  /** How many of the last outcomes `share` looks at. Default 50. */
  readonly sample?: number;
  /** Milliseconds until the first probe; each probe that fails doubles them. Default 1,000. */
  readonly pauseMs?: number;
  /** The longest pause between two probes, in milliseconds; at least `pauseMs`. Default 30,000. */
  readonly maxPauseMs?: number;
  /** Calls let through while it is half-open. Default 1. */
  readonly probes?: number;
  /** Milliseconds down until the run fails. Default 300,000; Infinity waits for ever. */
  readonly deadlineMs?: number;
}

const RULES: OptionRules<CircuitBreakerOptions> = {
  failures: count(),
  share: number(0, 1),
  sample: count(),
  pauseMs: number(1),
  maxPauseMs: number(1),
  probes: count(),
  deadlineMs: number(1, Infinity),
};

/**
 * Starts nothing while the upstream is down (M. Nygard, "Release It!"). The policy holds no state:
 * each task has a circuit of its own.
 */
export class CircuitBreaker {
  /** The last breaker named in a set holds. */
  readonly kind = 'circuit breaker';
  /** So many failures in a row open it. */
  readonly failures: number;
  /** So large a share of failures among the last `sample` outcomes opens it, 0 to 1. */
  readonly share: number;
  /** How many of the last outcomes `share` looks at. */
  readonly sample: number;
  /** Milliseconds until the first probe. */
  readonly pauseMs: number;
  /** The longest pause between two probes, in milliseconds. */
  readonly maxPauseMs: number;
  /** Calls let through at a time while it is half-open. */
  readonly probes: number;
  /** Milliseconds down until the run fails with MILLRACE_UPSTREAM_DOWN. */
  readonly deadlineMs: number;

  constructor(options: CircuitBreakerOptions = {}) {
    checkOptions('a circuit breaker', options, RULES);
    const { failures = 10, share = 0.8, sample = 50, pauseMs = 1000, maxPauseMs = 30_000 } = options;
    const { probes = 1, deadlineMs = 300_000 } = options;
    checkNumber('maxPauseMs', maxPauseMs, pauseMs);
    this.failures = failures;
    this.share = share;
    this.sample = sample;
    this.pauseMs = pauseMs;
    this.maxPauseMs = maxPauseMs;
    this.probes = probes;
    this.deadlineMs = deadlineMs;
  }

  /** When it opens and how it probes, as the summary of a run shows it. */
  toString(): string {
    const { failures, share, sample, pauseMs, maxPauseMs, probes, deadlineMs } = this;
    return (
      `circuit opens after ${failures} failures in a row or ${Math.round(share * 100)} % of ${sample}, ` +
      `${probes} ${probes === 1 ? 'probe' : 'probes'} after ${describeMs(pauseMs)} up to ${describeMs(maxPauseMs)}, down at most ${describeMs(deadlineMs)}`
    );
  }
}

/**
 * Pauses a task while its upstream is down, and fails the run with MILLRACE_UPSTREAM_DOWN after
 * `deadlineMs`. Throws MILLRACE_INVALID_OPTION where an option is unknown or out of range.
 *
 * @example circuitBreaker({ failures: 20, deadlineMs: 600_000 })
 */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  return new CircuitBreaker(options);
}

export interface CircuitHandlers {
  /** What is called down in messages. */
  readonly upstream: string;
  readonly onChange: (state: CircuitState, message: string) => void;
  /** The deadline has passed. */
  readonly onDown: (error: MillraceError) => void;
}

/** The circuit of one task in one run. */
export class Circuit {
  state: CircuitState = 'closed';
  /** Calls under way that were let through while half-open. */
  private probing = 0;
  private inARow = 0;
  /** The record of the first failure in a row, and whether others failed since. */
  private firstFailed: number | undefined;
  private isMixed = false;
  private lastSuccessMs = -Infinity;
  private lastError: unknown;
  /** The last outcomes, true for a failure. */
  private readonly outcomes: boolean[] = [];
  private nextOutcome = 0;
  private failedOutcomes = 0;
  private pauseMs: number;
  private openedAtMs = 0;
  private openMs = 0;
  private cancelPause: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;
  private readonly policy: CircuitBreaker;
  private readonly clock: Clock;
  private readonly handlers: CircuitHandlers;

  constructor(policy: CircuitBreaker, clock: Clock, handlers: CircuitHandlers) {
    this.policy = policy;
    this.clock = clock;
    this.handlers = handlers;
    this.pauseMs = policy.pauseMs;
  }

  /** Whether a call may start. */
  get admits(): boolean {
    return this.state === 'closed' || (this.state === 'half-open' && this.probing < this.policy.probes);
  }

  /** A call starts; gives whether it is a probe, which must be told back. */
  enter(): boolean {
    if (this.state !== 'half-open') return false;
    this.probing++;
    return true;
  }

  leave(isProbe: boolean): void {
    if (isProbe) this.probing--;
  }

  /** The upstream answered: also a refusal of one record shows that it is well. */
  succeed(nowMs: number, isProbe = false): void {
    this.lastSuccessMs = nowMs;
    this.inARow = 0;
    this.firstFailed = undefined;
    this.isMixed = false;
    this.lastError = undefined;
    this.note(false);
    // A reply to what was sent before it opened says little; a probe's says that it is over.
    if (isProbe && this.state === 'half-open') this.close(nowMs);
  }

  /** A failure that is the upstream's. Failures that share one error are one failure. */
  fail(nowMs: number, lineage: number, error: unknown, isProbe = false): void {
    if (this.firstFailed === undefined) this.firstFailed = lineage;
    else if (this.firstFailed !== lineage) this.isMixed = true;
    if (error !== this.lastError || typeof error !== 'object') {
      this.lastError = error;
      this.inARow++;
      this.note(true);
    }
    // What was sent before it opened may fail for a long time after; only the probe is news.
    if (isProbe && this.state === 'half-open') {
      this.pauseMs = Math.min(this.policy.maxPauseMs, this.pauseMs * 2);
      this.open(nowMs, 'the probe failed');
    } else if (this.state === 'closed' && this.isMixed && this.isOverThreshold()) {
      this.open(nowMs, `${this.inARow} calls in a row failed`);
    }
  }

  /**
   * Whether a record that has failed for the last time, tried since `sinceMs`, may be the victim of an outage: nothing
   * has succeeded since, and it is not the only one that fails. Then the circuit opens, and the record waits.
   */
  opensFor(nowMs: number, sinceMs: number): boolean {
    if (this.state !== 'closed') return true;
    if (!this.isMixed || this.lastSuccessMs >= sinceMs) return false;
    this.open(nowMs, 'no call succeeded while a record used up its attempts');
    return true;
  }

  /** Milliseconds spent open so far. */
  pausedMs(nowMs: number): number {
    return this.openMs + (this.state === 'closed' ? 0 : nowMs - this.openedAtMs);
  }

  stop(): void {
    this.cancelPause?.();
    this.cancelDeadline?.();
  }

  private isOverThreshold(): boolean {
    const { failures, sample, share } = this.policy;
    if (this.inARow >= failures) return true;
    return this.outcomes.length >= sample && this.failedOutcomes / this.outcomes.length >= share;
  }

  private note(isFailure: boolean): void {
    if (this.outcomes[this.nextOutcome] === true) this.failedOutcomes--;
    if (isFailure) this.failedOutcomes++;
    this.outcomes[this.nextOutcome] = isFailure;
    this.nextOutcome = (this.nextOutcome + 1) % this.policy.sample;
  }

  private open(nowMs: number, why: string): void {
    const { deadlineMs } = this.policy;
    if (this.state === 'closed') {
      this.openedAtMs = nowMs;
      if (Number.isFinite(deadlineMs)) {
        this.cancelDeadline = this.clock.schedule(deadlineMs, () => {
          this.handlers.onDown(this.downError());
        });
      }
    }
    this.state = 'open';
    this.cancelPause?.();
    this.cancelPause = this.clock.schedule(this.pauseMs, () => {
      this.state = 'half-open';
      this.handlers.onChange('half-open', `Asks ${this.handlers.upstream} whether it is back`);
    });
    this.handlers.onChange(
      'open',
      `${this.handlers.upstream} is down: ${why}, the last with: ${describeThrown(this.lastError)}. Records wait ${describeMs(this.pauseMs)}`,
    );
  }

  private close(nowMs: number): void {
    this.openMs += nowMs - this.openedAtMs;
    this.state = 'closed';
    this.pauseMs = this.policy.pauseMs;
    this.outcomes.length = 0;
    this.nextOutcome = 0;
    this.failedOutcomes = 0;
    this.cancelDeadline?.();
    this.handlers.onChange('closed', `${this.handlers.upstream} is back`);
  }

  private downError(): MillraceError {
    return new MillraceError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.handlers.upstream} has been down for ${describeMs(this.policy.deadlineMs)}, so the run stops; what it had not finished is not lost. ` +
        `The last call failed with: ${describeThrown(this.lastError)}. ` +
        'Run again when it is back, or raise `deadlineMs` of the circuit breaker',
      { cause: this.lastError, retryable: true },
    );
  }
}
