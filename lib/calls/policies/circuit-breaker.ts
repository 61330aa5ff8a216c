/**
 * A circuit breaker: closed, open, half-open (M. Nygard, "Release It!"). While the upstream is down the task starts nothing
 * and its records wait, so an outage does not turn a million records into dead letters.
 *
 * Guarantees: only failures of the upstream count, and several failures with one cause (a lost connection, a failed group)
 * count once. The circuit never opens because of a single record. While it is not closed, at most `probes` calls run at a
 * time, and each failed probe is followed by a pause. After `deadlineMs` the run fails with the name of the upstream.
 */
import { describeThrown, MillraceError } from '../../model/errors.js';
import type { CircuitState } from '../../model/call-event.js';
import type { Clock } from '../../model/clock.js';
import { checkNumber, count, number, type OptionRules } from '../../options/options.js';
import { describeMs } from '../../text/describe-ms.js';
import { resolvePolicy } from './policy.js';

/** Options of `circuitBreaker`: when it opens, how it probes, and when the run fails. */
export interface CircuitBreakerOptions {
  /** Consecutive failures that open it. Default 10. */
  readonly failures?: number;
  /** The share of failures among the last `sample` outcomes, from 0 to 1, that opens it too. Default 0.8. */
  readonly share?: number;
  /** How many of the last outcomes `share` considers. Default 50. */
  readonly sample?: number;
  /** Milliseconds until the first probe. Each failed probe doubles the pause. Default 1,000. */
  readonly pauseMs?: number;
  /** The longest pause between two probes, in milliseconds, at least `pauseMs`. Default 30,000. */
  readonly maxPauseMs?: number;
  /** Calls admitted at a time while it is half-open. Default 1. */
  readonly probes?: number;
  /** Milliseconds of outage after which the run fails with MILLRACE_UPSTREAM_DOWN. Default 300,000; Infinity: never. */
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
const DEFAULTS = {
  failures: 10,
  share: 0.8,
  sample: 50,
  pauseMs: 1000,
  maxPauseMs: 30_000,
  probes: 1,
  deadlineMs: 300_000,
};
const TABLE = { name: 'a circuit breaker', rules: RULES, defaults: DEFAULTS };

/**
 * Pauses a task while its upstream is down. The policy has no state: each task has a circuit of its own.
 */
export class CircuitBreaker {
  /** Of several breakers in a set, the last one applies. */
  readonly kind = 'circuit breaker';
  /** The resolved options. */
  readonly options: Readonly<Required<CircuitBreakerOptions>>;

  constructor(options: CircuitBreakerOptions = {}) {
    this.options = resolvePolicy(TABLE, options);
    checkNumber('maxPauseMs', this.options.maxPauseMs, this.options.pauseMs);
  }

  /** When it opens and how it probes, as the summary of a run shows it. */
  toString(): string {
    const { failures, share, sample, pauseMs, maxPauseMs, probes, deadlineMs } = this.options;
    return (
      `circuit opens after ${failures} failures in a row or ${Math.round(share * 100)} % of ${sample}, ` +
      `${probes} ${probes === 1 ? 'probe' : 'probes'} after ${describeMs(pauseMs)} up to ${describeMs(maxPauseMs)}, down at most ${describeMs(deadlineMs)}`
    );
  }
}

/**
 * Pauses a task while its upstream is down, and fails the run with MILLRACE_UPSTREAM_DOWN after `deadlineMs`. Throws
 * MILLRACE_INVALID_OPTION if an option is unknown or out of range.
 *
 * @example circuitBreaker({ failures: 20, deadlineMs: 600_000 })
 */
export function circuitBreaker(options?: CircuitBreakerOptions): CircuitBreaker {
  return new CircuitBreaker(options);
}

export interface CircuitHandlers {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  readonly onChange: (state: CircuitState, message: string) => void;
  /** Called when the deadline has passed. */
  readonly onDown: (error: MillraceError) => void;
}

/** The circuit of one task in one run. */
export class Circuit {
  state: CircuitState = 'closed';
  /** Probes in flight. */
  private probing = 0;
  private consecutive = 0;
  /** The record of the first consecutive failure, and whether another record has failed since. */
  private firstFailed: number | undefined;
  private isMixed = false;
  private lastSuccessMs = -Infinity;
  private lastError: unknown;
  /** A ring of the last outcomes; true is a failure. */
  private readonly outcomes: boolean[] = [];
  private nextOutcome = 0;
  private failedOutcomes = 0;
  private pauseMs: number;
  private openedAtMs = 0;
  private openMs = 0;
  private cancelPause: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;
  private readonly options: CircuitBreaker['options'];
  private readonly clock: Clock;
  private readonly handlers: CircuitHandlers;

  constructor({ options }: CircuitBreaker, clock: Clock, handlers: CircuitHandlers) {
    this.options = options;
    this.clock = clock;
    this.handlers = handlers;
    this.pauseMs = options.pauseMs;
  }

  /** Whether a call may start. */
  get admits(): boolean {
    return this.state === 'closed' || (this.state === 'half-open' && this.probing < this.options.probes);
  }

  /** Call when a call starts. Returns whether it is a probe; pass that to the methods that report its outcome. */
  acquire(): boolean {
    if (this.state !== 'half-open') return false;
    this.probing++;
    return true;
  }

  /** Call when a call has ended. */
  release(isProbe: boolean): void {
    if (isProbe) this.probing--;
  }

  /** Call when the upstream answered. A refusal of one record also shows that the upstream works. */
  recordSuccess(nowMs: number, isProbe = false): void {
    this.lastSuccessMs = nowMs;
    this.consecutive = 0;
    this.firstFailed = undefined;
    this.isMixed = false;
    this.lastError = undefined;
    this.recordOutcome(false);
    // A reply to a call from before the circuit opened proves little. The reply to a probe proves that the outage is over.
    if (isProbe && this.state === 'half-open') this.close(nowMs);
  }

  /** Call when the upstream failed. Consecutive failures with the same error object count once. */
  recordFailure(nowMs: number, lineage: number, error: unknown, isProbe = false): void {
    if (this.firstFailed === undefined) this.firstFailed = lineage;
    else if (this.firstFailed !== lineage) this.isMixed = true;
    if (error !== this.lastError || typeof error !== 'object') {
      this.lastError = error;
      this.consecutive++;
      this.recordOutcome(true);
    }
    // Calls from before the circuit opened may fail for a long time afterwards. Only the failure of a probe is news.
    if (isProbe && this.state === 'half-open') {
      this.pauseMs = Math.min(this.options.maxPauseMs, this.pauseMs * 2);
      this.open(nowMs, 'the probe failed');
    } else if (this.state === 'closed' && this.isMixed && this.isOverThreshold()) {
      this.open(nowMs, `${this.consecutive} calls in a row failed`);
    }
  }

  /**
   * Whether a record that has used up its attempts since `sinceMs` may be the victim of an outage: no call has succeeded
   * since then, and other records fail too. If so, the circuit opens and the record waits.
   */
  opensFor(nowMs: number, sinceMs: number): boolean {
    if (this.state !== 'closed') return true;
    if (!this.isMixed || this.lastSuccessMs >= sinceMs) return false;
    this.open(nowMs, 'no call succeeded while a record used up its attempts');
    return true;
  }

  /** Milliseconds for which the circuit has not been closed, in total. */
  pausedMs(nowMs: number): number {
    return this.openMs + (this.state === 'closed' ? 0 : nowMs - this.openedAtMs);
  }

  stop(): void {
    this.cancelPause?.();
    this.cancelDeadline?.();
  }

  private isOverThreshold(): boolean {
    const { failures, sample, share } = this.options;
    if (this.consecutive >= failures) return true;
    return this.outcomes.length >= sample && this.failedOutcomes / this.outcomes.length >= share;
  }

  private recordOutcome(isFailure: boolean): void {
    if (this.outcomes[this.nextOutcome] === true) this.failedOutcomes--;
    if (isFailure) this.failedOutcomes++;
    this.outcomes[this.nextOutcome] = isFailure;
    this.nextOutcome = (this.nextOutcome + 1) % this.options.sample;
  }

  private open(nowMs: number, why: string): void {
    const { deadlineMs } = this.options;
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
    this.pauseMs = this.options.pauseMs;
    this.outcomes.length = 0;
    this.nextOutcome = 0;
    this.failedOutcomes = 0;
    this.cancelDeadline?.();
    this.handlers.onChange('closed', `${this.handlers.upstream} is back`);
  }

  private downError(): MillraceError {
    return new MillraceError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.handlers.upstream} has been down for ${describeMs(this.options.deadlineMs)}, so the run stops; what it had not finished is not lost. ` +
        `The last call failed with: ${describeThrown(this.lastError)}. ` +
        'Run again when it is back, or raise `deadlineMs` of the circuit breaker',
      { cause: this.lastError, retryable: true },
    );
  }
}
