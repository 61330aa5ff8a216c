/**
 * The circuit of one task in one run: it decides from evidence whether a failed call is the fault of its record or of
 * an upstream that is down, and pauses the task in the second case.
 *
 * Evidence. Each answer of the upstream is counted. A record that fails again after other records were answered is a
 * **suspect**: the upstream works, so the record is the cause, and its failures prove nothing about the upstream. A
 * **streak** is a series of failures of different records without an answer in between; suspects do not count. A streak
 * of `failures` records opens the circuit.
 *
 * There are two kinds of streaks. In a **silent** streak most calls got no answer (503, a lost connection, a timeout).
 * The circuit then probes with one call after pauses that grow. In an **answering** streak the upstream answered most
 * calls with a failure of its own (500). The records may be the cause, and only records without an attempt can show it.
 * So the rounds of probes have 4, 32, 256, … of these records, with one pause between two rounds, until one record is
 * answered or none is left. If fewer records wait than the next round needs, the window doubles until the circuit
 * closes: otherwise a stretch of poison records longer than the window would hide the records behind it.
 *
 * If no such record is left and no more arrive, only failed records remain: a **tail**. Its last attempts are made
 * after a wait that is as long as the task has worked so far, on two conditions: the upstream has answered before, and
 * the streak is an answering one or has fewer than `failures` records. The failures of these attempts count as failures
 * of the records.
 *
 * A streak that ends with an answer was not an outage. After it, a streak must be four times as long to open the
 * circuit, until `sample` calls in a row were answered. Half a window is always enough, because the other half still
 * waits and can be probed. Each time that an answering streak has opened the circuit, 16 times as many calls must be
 * answered in a row before a shorter answering streak can open it again. So stretches of poison records that recur
 * often cost little.
 *
 * Guarantees: the circuit never opens because of suspects. It opens because of a single record only while the host was
 * never reached. Several failures with one cause (a lost connection, a failed group) count once. A probe is a record
 * without an attempt if there is one. After `deadlineMs` the run fails with the name of the upstream and the last
 * failure, unless only a tail is left that makes its last attempts. If the host was never reached since the start, the
 * deadline is at most ten seconds.
 */
import type { CircuitState } from '../model/call-event.js';
import type { Clock } from '../model/clock.js';
import { describeThrown, MillraceError } from '../model/errors.js';
import { describeMs } from '../text/quantities.js';
import type { Call } from './call.js';
import { isHeard, isUnreachable, type FailureKind } from './failure-kind.js';
import type { CircuitBreaker } from './policies/circuit-breaker.js';
import { retryAfterOf } from './policies/retry-policy.js';

export interface CircuitHandlers {
  /** The name of the upstream in messages. */
  readonly upstream: string;
  /** Returns the number of waiting records without an attempt. */
  readonly fresh: () => number;
  /** Returns whether no more records arrive. */
  readonly isInputOver: () => boolean;
  /** The window of the task: the most records that it holds, unless `widen` was called. */
  readonly window: number;
  /** Lets records in beyond the window until the circuit closes. Returns false if no more are let in. */
  readonly widen: () => boolean;
  /** @param isSilent whether the streak that opened the circuit is a silent one. */
  readonly onChange: (state: CircuitState, message: string, isSilent: boolean) => void;
  /** Called when the deadline has passed. */
  readonly onDown: (error: MillraceError) => void;
}

/** The factor by which a streak must be longer than one that an answer ended. */
const TOLERANCE = 4;
/** The factor by which `calm` grows each time that an answering streak has opened the circuit. */
const CALM_GROWTH = 16;
/** The sizes of rounds of probes in an answering streak: 4, 32, 256, … */
const FIRST_ROUND = 4;
const ROUND_GROWTH = 8;
/**
 * The first rounds of a silent streak have `probes` probes each. After this many rounds, the size of a round doubles
 * each time.
 */
const SINGLE_ROUNDS = 4;
/**
 * How long a host may be unreachable at the start of a run, in milliseconds: enough for a server that starts together
 * with the run.
 */
const START_MS = 10_000;

/** The fields of a call that belong to the circuit. */
type Suspect = Pick<Call<unknown>, 'failedAtMs' | 'isSuspect' | 'streak'>;

export class Circuit {
  state: CircuitState = 'closed';
  /** Answers since the start. */
  private answers = 0;
  private answersInRow = 0;
  /** The latest start of a call that was answered. */
  private answeredStartMs = -Infinity;
  /** Whether anything came from the upstream since the start, a failure included. */
  private isHeard = false;
  /** The number of the current streak. */
  private streak = 0;
  /** The records in it. */
  private distinct = 0;
  /** The records in it that got no answer. */
  private silent = 0;
  /**
   * Numbers of records: of a streak that opens the circuit, of an answering streak that does, and of the longest streak
   * that an answer ended.
   */
  private tolerance: number;
  private answeringTolerance: number;
  private longest = 0;
  /** The answers in a row that reset `answeringTolerance`. */
  private calm: number;
  private lastError: unknown;
  /** The last failure that counted. */
  private counted: unknown;
  /** A ring of the last outcomes; true is a call without an answer. */
  private readonly outcomes: boolean[] = [];
  private nextOutcome = 0;
  private silentOutcomes = 0;
  /** Whether the records of a tail make their last attempts: their failures are their own. */
  private isResigned = false;
  /** The round of probes, the probes that it has started, and those in flight. */
  private round = 0;
  private started = 0;
  private probing = 0;
  private pauseMs: number;
  private firstAtMs: number | undefined;
  private firstFailureMs: number | undefined;
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
    this.tolerance = options.failures;
    this.answeringTolerance = options.failures;
    this.calm = options.sample;
  }

  /** Whether a call may start. */
  get admits(): boolean {
    if (this.state !== 'half-open') return this.state === 'closed';
    if (this.isSilent && this.probing >= this.options.probes) return false;
    return this.started === 0 || (this.started < this.roundSize && this.handlers.fresh() > 0);
  }

  /** Whether at least half of the records of the streak got no answer. */
  get isSilent(): boolean {
    return this.silent * 2 >= this.distinct;
  }

  /** Whether the upstream has answered a call since the start. */
  get hasAnswered(): boolean {
    return this.answers > 0;
  }

  /** Call when a call starts. Returns whether it is a probe; pass that to the methods that report its outcome. */
  acquire(nowMs: number): boolean {
    this.firstAtMs ??= nowMs;
    if (this.state !== 'half-open') return false;
    this.started++;
    this.probing++;
    return true;
  }

  /** Call when a call has ended, after its outcome was reported. `isKnown` is false if the call proved nothing. */
  release(isProbe: boolean, nowMs: number, isKnown = true): void {
    if (!isProbe) return;
    this.probing--;
    if (this.state !== 'half-open') return;
    // The place of a probe that proved nothing is free for another one.
    if (!isKnown) this.started--;
    else if (this.probing === 0 && this.started > 0 && !this.admits) this.endRound(nowMs);
  }

  /**
   * Call when the upstream answered. A refusal of one record also shows that the upstream works.
   *
   * @param startedAtMs the start of the call.
   */
  recordAnswer(nowMs: number, startedAtMs: number, isProbe: boolean): void {
    this.answers++;
    this.answeredStartMs = Math.max(this.answeredStartMs, startedAtMs);
    this.isHeard = true;
    const { failures, sample } = this.options;
    if (this.distinct >= failures) {
      const tolerance = Math.min(Math.max(failures, this.handlers.window / 2), this.distinct * TOLERANCE);
      this.tolerance = Math.max(this.tolerance, tolerance);
      if (!this.isSilent) this.answeringTolerance = Math.max(this.answeringTolerance, tolerance);
    }
    this.longest = Math.max(this.longest, this.distinct);
    if (++this.answersInRow >= sample) {
      this.tolerance = failures;
      this.longest = 0;
    }
    if (this.answersInRow >= this.calm) this.answeringTolerance = failures;
    this.recordOutcome(false);
    // A reply to a call from before the circuit opened does not prove that a silent upstream is back.
    const isProof = (isProbe && this.state === 'half-open') || !this.isSilent;
    if (this.state === 'closed') {
      if (this.distinct > 0 || this.isResigned) this.endStreak();
    } else if (isProof) this.close(nowMs, `${this.handlers.upstream} is back`);
  }

  /** Call when the upstream refused a call for a reason that is not its record: the upstream is up. */
  recordUp(nowMs: number, isProbe: boolean): void {
    this.isHeard = true;
    if (isProbe && this.state === 'half-open') this.close(nowMs, `${this.handlers.upstream} is back`);
  }

  /** Call when the upstream failed. Failures with the same error object count once. */
  recordFailure(nowMs: number, call: Suspect, kind: FailureKind, error: unknown): void {
    this.firstFailureMs ??= nowMs;
    if (isHeard(error)) this.isHeard = true;
    // Only calls that started after the failure count: earlier ones may be answered long after the upstream went down.
    if (this.answeredStartMs >= call.failedAtMs) call.isSuspect = true;
    call.failedAtMs = nowMs;
    this.lastError = error;
    if (call.isSuspect || this.isResigned) return;
    this.answersInRow = 0;
    const isNew = error !== this.counted || typeof error !== 'object';
    if (isNew && call.streak !== this.streak) {
      call.streak = this.streak;
      this.counted = error;
      this.distinct++;
      if (kind === 'silence') this.silent++;
    }
    if (isNew && kind === 'silence') this.recordOutcome(true);
    if (this.state === 'closed' && this.isOverThreshold()) {
      this.open(nowMs, `${this.distinct} records in a row failed`);
    }
  }

  /**
   * Decides about records that are out of attempts when no other call is left to try. Returns true if an outage may be
   * the cause: then the circuit is open, and the records wait.
   */
  opensForTail(nowMs: number): boolean {
    if (this.state !== 'closed') return true;
    if (this.isResigned) return false;
    const isLost = !this.isHeard && isUnreachable(this.lastError);
    if (!isLost && (!this.isSilent || this.distinct <= Math.max(1, this.longest))) return false;
    this.open(nowMs, 'no call succeeded while records used up their attempts');
    return true;
  }

  /** Whether the failures of this record are its own. */
  isOwnFault(call: Suspect): boolean {
    return call.isSuspect || this.isResigned;
  }

  /** Milliseconds for which the circuit has not been closed, in total. */
  pausedMs(nowMs: number): number {
    return this.openMs + (this.state === 'closed' ? 0 : nowMs - this.openedAtMs);
  }

  stop(): void {
    this.cancelPause?.();
    this.cancelDeadline?.();
  }

  private get roundSize(): number {
    if (!this.isSilent) return FIRST_ROUND * ROUND_GROWTH ** this.round;
    return this.options.probes * 2 ** Math.max(0, this.round - SINGLE_ROUNDS + 1);
  }

  private isOverThreshold(): boolean {
    const { failures, sample, share } = this.options;
    if (this.distinct < 2) return false;
    const { isSilent, answeringTolerance } = this;
    const tolerance = isSilent ? this.tolerance : Math.max(this.tolerance, answeringTolerance);
    if (this.distinct >= tolerance) return true;
    if (tolerance > failures || this.outcomes.length < sample) return false;
    return this.silentOutcomes / this.outcomes.length >= share;
  }

  private recordOutcome(isSilent: boolean): void {
    if (this.outcomes[this.nextOutcome] === true) this.silentOutcomes--;
    if (isSilent) this.silentOutcomes++;
    this.outcomes[this.nextOutcome] = isSilent;
    this.nextOutcome = (this.nextOutcome + 1) % this.options.sample;
  }

  private endStreak(): void {
    this.streak++;
    this.distinct = 0;
    this.silent = 0;
    this.counted = undefined;
    this.isResigned = false;
  }

  private open(nowMs: number, why: string): void {
    this.openedAtMs = nowMs;
    this.round = 0;
    this.pauseMs = this.options.pauseMs;
    this.armDeadline(nowMs);
    this.pause(nowMs, why);
  }

  /** Ends a round of probes without an answer. */
  private endRound(nowMs: number): void {
    this.round++;
    const { fresh, isInputOver, widen } = this.handlers;
    // In an answering streak, only records without an attempt are evidence. While there are such records, the pause
    // does not grow.
    const hasMore = !this.isSilent && !isInputOver() && fresh() < this.roundSize && widen();
    if (this.isSilent || (fresh() === 0 && !hasMore)) {
      this.pauseMs = Math.min(this.options.maxPauseMs, this.pauseMs * 2);
    }
    if (this.mayResign && nowMs >= this.resignsAtMs) this.resign(nowMs);
    else this.pause(nowMs, this.started === 1 ? 'the probe failed' : `${this.started} probes failed`);
  }

  private pause(nowMs: number, why: string): void {
    this.state = 'open';
    const { maxPauseMs } = this.options;
    const askedMs = Math.max(this.pauseMs, Math.min(retryAfterOf(this.lastError) ?? 0, maxPauseMs));
    const leftMs = this.mayResign ? Math.max(1, this.resignsAtMs - nowMs) : Infinity;
    const delayMs = Math.min(askedMs, leftMs);
    this.cancelPause?.();
    this.cancelPause = this.clock.schedule(delayMs, () => {
      this.state = 'half-open';
      this.started = 0;
      this.handlers.onChange('half-open', `Asks ${this.handlers.upstream} whether it is back`, this.isSilent);
    });
    this.handlers.onChange(
      'open',
      `${this.handlers.upstream} is down: ${why}, the last with: ${describeThrown(this.lastError)}. Records wait ${describeMs(delayMs)}`,
      this.isSilent,
    );
  }

  /** Whether the tail may make its last attempts after its wait: no other record is left that could be evidence. */
  private get mayResign(): boolean {
    const isTail = this.handlers.isInputOver() && this.handlers.fresh() === 0;
    return isTail && this.hasAnswered && (!this.isSilent || this.distinct < this.options.failures);
  }

  /** The time at which a tail has waited as long as the task had worked. */
  private get resignsAtMs(): number {
    return 2 * this.openedAtMs - (this.firstAtMs ?? this.openedAtMs) - this.openMs;
  }

  /** Closes the circuit, so that each record of the tail makes its last attempts. */
  private resign(nowMs: number): void {
    const { upstream } = this.handlers;
    this.close(
      nowMs,
      `${upstream} has answered others, and only failed records are left: each makes its last attempts`,
      true,
    );
  }

  private close(nowMs: number, why: string, isResigned = false): void {
    const { isSilent } = this;
    if (!isSilent) this.calm *= CALM_GROWTH;
    this.openMs += nowMs - this.openedAtMs;
    this.state = 'closed';
    this.outcomes.length = 0;
    this.nextOutcome = 0;
    this.silentOutcomes = 0;
    this.stop();
    this.endStreak();
    this.isResigned = isResigned;
    this.handlers.onChange('closed', why, isSilent);
  }

  private armDeadline(nowMs: number): void {
    const { deadlineMs } = this.options;
    this.cancelDeadline?.();
    if (!this.isHeard && isUnreachable(this.lastError)) {
      const leftMs = START_MS - (nowMs - (this.firstFailureMs ?? nowMs));
      if (leftMs < deadlineMs) {
        this.cancelDeadline = this.clock.schedule(Math.max(0, leftMs), () => {
          const laterMs = this.clock.monotonicMs();
          if (!this.isHeard && isUnreachable(this.lastError)) this.handlers.onDown(this.unreachableError());
          else this.armLongDeadline(deadlineMs - (laterMs - this.openedAtMs));
        });
        return;
      }
    }
    this.armLongDeadline(deadlineMs);
  }

  private armLongDeadline(delayMs: number): void {
    if (!Number.isFinite(delayMs)) return;
    this.cancelDeadline = this.clock.schedule(Math.max(0, delayMs), () => {
      if (this.mayResign) this.resign(this.clock.monotonicMs());
      else this.handlers.onDown(this.downError());
    });
  }

  private downError(): MillraceError {
    return new MillraceError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.handlers.upstream} has been down for ${describeMs(this.options.deadlineMs)}, so the run stops; its unfinished records are not lost. ` +
        `The last call failed with: ${describeThrown(this.lastError)}. ` +
        'Run again when it is back, or raise `deadlineMs` of the circuit breaker. If only these records fail, set `breaker: false`: they become dead letters',
      { cause: this.lastError, retryable: true },
    );
  }

  private unreachableError(): MillraceError {
    return new MillraceError(
      'MILLRACE_UPSTREAM_DOWN',
      `${this.handlers.upstream} was not reached since the start of the run, so the run stops; its unfinished records are not lost. ` +
        `The last call failed with: ${describeThrown(this.lastError)}. ` +
        'Check the URL and the host name, start the upstream if it is not running, and resume the run',
      { cause: this.lastError, retryable: true },
    );
  }
}
