/**
 * The calls of one task in one run: one state machine. The methods stand in the order in which a call passes them.
 *
 *     accept ─► queue ─► start ─► attempt ─┬─► succeed ────────────────────► settle ─► leave
 *                 ▲     (gate)    (hedge)  ├─► fail ───► verdict ─► give up ───┘
 *                 │                        └─► time out ─┘  │  │       ▲
 *                 ├──────────────── after a delay ◄─────────┘  ▼       │
 *                 └────────────────────────────────────────── park ────┘
 *
 * Guarantees: a call is in exactly one place: in the queue, in flight, in a delay, parked, or settled. It settles once,
 * whatever the transport reports. A record is given up only after its last attempt, after its time budget, or on an
 * error that a retry cannot fix. While the upstream may be the cause, the record is parked until there is evidence, as
 * `circuit.ts` describes. A refusal for load does not count as an attempt. A failure while the circuit is open does not
 * count either, unless the call was a probe. A call may have several rounds: each round has its own attempts and
 * budget, and the last one has the output. Calls that are admitted together are handed to the transport together. A
 * long synchronous stretch yields to the event loop. After `stop` nothing starts, nothing is emitted and no timer is
 * left.
 */
import type { Subscriber } from 'rxjs';
import { codeOf, describeThrown, FatalTaskError, MillraceError, readableThrown } from '../model/errors.js';
import { GONE, Skip, type Batch, type Gone, type Lineage } from '../model/record.js';
import { UpstreamError } from '../model/upstream-error.js';
import { nobodyWaits, whyOver } from '../stream/attempt-signal.js';
import { FinishedOutputs } from '../stream/finished-outputs.js';
import type { TaskScope } from '../stream/task-scope.js';
import { describeMs } from '../text/quantities.js';
import { AttemptsInFlight } from './attempts-in-flight.js';
import { Again, Attempt, Call, type Caller, type CallOutcomes, type CancelReason, type Permit } from './call.js';
import { CallGate } from './call-gate.js';
import { CallMeter } from './call-meter.js';
import { CallQueue } from './call-queue.js';
import { failureKind } from './failure-kind.js';
import { ParkedCalls, isRefusal, type FailedCall } from './parked-calls.js';
import type { CallPolicies } from './policies/call-policies.js';
import { HedgeTimer } from './hedge-timer.js';
import { retryAfterOf, type RetryPolicy } from './policies/retry-policy.js';

export interface MapCallsOptions {
  readonly policies: CallPolicies;
  /** The most calls in flight if no policy sets a limit. */
  readonly concurrency: number;
  /** The name of the upstream in messages. */
  readonly upstream: string;
  /** How messages describe a call that took too long. Default: as a request without an answer. */
  readonly words?: TimeoutWords;
  /** Whether a call with an unknown outcome may be repeated: it carries a key, or its method is idempotent. */
  readonly isIdempotent: boolean;
  /** Whether outputs leave in input order. Default false. */
  readonly ordered?: boolean;
  /** Sends several records in one request. Default: one record per request. */
  readonly group?: GroupOptions;
}

export interface GroupOptions {
  /** The most records per request. */
  readonly max: number;
  /** The most milliseconds that a record waits for others. */
  readonly waitMs: number;
}

/** The words of a timeout message: `<silence> within 2 s; <doubt>`. */
export interface TimeoutWords {
  /** The event that did not happen: `http://ats did not answer 'Ask'`. */
  readonly silence: string;
  /** The fact that is unknown as a consequence. */
  readonly doubt: string;
}

/** The decision about a call that failed. */
type Verdict =
  /** It goes back to the queue, to wait until the circuit closes. */
  | { readonly next: 'requeue'; readonly isCounted: boolean }
  /** It goes back to the queue after a delay. The attempt does not count. */
  | { readonly next: 'postpone'; readonly delayMs: number }
  /** It goes back to the queue after a delay, for another attempt. */
  | { readonly next: 'retry'; readonly delayMs: number }
  /** It waits until other calls show whether the upstream is to blame. */
  | { readonly next: 'park' }
  | { readonly next: 'give up'; readonly error?: unknown };

/** The longest wait for a Retry-After, in milliseconds, if there is no circuit breaker. */
const MAX_WAIT_MS = 300_000;
/**
 * After this many refusals for load, the delay of the record does not grow any more: the pace of the task slows the
 * calls.
 */
const REFUSALS_THAT_DELAY = 4;

/** The number of calls started between two checks of whether the event loop needs a turn. */
const CHECK_TURN_EVERY = 64;

export class CallEngine<In, Out> implements CallOutcomes<In, Out | Skip> {
  private readonly caller: Caller<In, Out | Skip>;
  private readonly options: MapCallsOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly retryPolicy: RetryPolicy;
  private readonly timeoutWords: TimeoutWords;
  private readonly queue: CallQueue<In>;
  private readonly gate: CallGate;
  private readonly inFlight: AttemptsInFlight<In>;
  private readonly meter: CallMeter;
  /** Calls that are out of attempts or refused, while it is not known whether the upstream is the cause. */
  private readonly parked: ParkedCalls<In>;
  /** Undefined if calls are not hedged. */
  private readonly hedgeTimer: HedgeTimer | undefined;
  /** Slow attempts that get a hedge. The policy's share bounds the array. */
  private readonly hedgesDue: Attempt<In>[] = [];
  /** Cancels each pending delay and record timeout. */
  private readonly timers = new Set<() => void>();
  private readonly outputs: FinishedOutputs<Out>;
  private groupWaitsSinceMs: number | undefined;
  private cancelGroupTimer: (() => void) | undefined;
  private timeoutError: UpstreamError | undefined;
  private isFlushDue = false;
  private isStarting = false;
  private isStartDeferred = false;
  private isInputOver = false;
  private isStopped = false;

  constructor(
    caller: Caller<In, Out | Skip>,
    options: MapCallsOptions,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    const { policies, upstream } = options;
    const { window, mostInFlight } = scope.root;
    this.caller = caller;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.retryPolicy = policies.retry;
    this.timeoutWords = options.words ?? {
      silence: `${upstream} did not answer '${scope.task}'`,
      doubt: 'whether the request took effect is unknown',
    };
    this.queue = new CallQueue(mostInFlight, policies.fairness);
    this.gate = new CallGate({
      policies,
      defaultConcurrency: options.concurrency,
      upstream,
      scope,
      fresh: () => this.queue.neverTried,
      isInputOver: () => this.isInputOver,
      wake: () => {
        this.start();
      },
      fail: (error) => {
        subscriber.error(error);
      },
    });
    this.parked = new ParkedCalls(policies.breaker?.options.failures ?? Infinity);
    const { hedge } = policies;
    if (hedge !== undefined && options.isIdempotent) this.hedgeTimer = new HedgeTimer(hedge);
    this.inFlight = new AttemptsInFlight(policies.timeout.options.attemptMs, scope.clock, {
      onTimeout: (attempt) => {
        this.timeOut(attempt);
      },
      onSlow: (attempt) => {
        this.scheduleHedge(attempt);
      },
      hedgeAfterMs: () => this.hedgeTimer?.delayMs ?? Infinity,
    });
    this.meter = new CallMeter(scope, window);
    this.outputs = new FinishedOutputs(scope, subscriber, options.ordered === true);
    this.reportOccupancy();
  }

  /** Reports the records in the operator to the watchdog and to the search for the bottleneck. */
  private reportOccupancy(): void {
    this.scope.account.watch(() => {
      if (this.isLettingGo()) {
        const running = Math.min(this.meter.active, this.inFlight.count());
        return { queued: this.queue.neverTried, running, waiting: this.outputs.waiting + this.meter.active - running };
      }
      // Records that a timer or an abandoned call holds back count as running: the run has not stalled.
      const { isWaiting, places } = this.gate;
      const queued = this.queue.neverTried;
      return {
        queued: isWaiting ? 0 : queued,
        running: this.meter.active + (isWaiting ? queued : 0),
        waiting: this.outputs.waiting,
        places: isWaiting ? 1 : Math.max(1, Math.min(places, this.scope.root.window)),
      };
    });
  }

  // ── Arrival ────────────────────────────────────────────────────────────────────────────────────────────────────────

  accept(batch: Batch<In>): void {
    const { lineages, values, gone } = batch;
    const count = batch.length - gone;
    this.scope.account.in += count;
    this.meter.recordArrival(count);
    this.outputs.expect(lineages);
    if (gone > 0) {
      for (let i = 0; i < values.length; i++) if (values[i] === GONE) this.leave(lineages[i] as Lineage, GONE);
    }
    this.queue.accept(batch, this.rejectRecord);
    this.start();
  }

  /** No more records arrive: incomplete groups start at once. */
  endInput(): void {
    this.isInputOver = true;
    this.start();
    if (this.parked.size > 0) this.flushSoon();
    this.completeIfDone();
  }

  private readonly rejectRecord = (record: In, lineage: Lineage, error: unknown): void => {
    this.giveUp(new Call(record, lineage), error);
  };

  // ── Start: the calls that the gate admits ──────────────────────────────────────────────────────────────────────────

  /** Starts all calls that may start. May be called at any time, even by a call that it starts. */
  private start(): void {
    if (this.isStarting || this.isStopped || this.isStartDeferred || this.isLettingGo()) return;
    this.isStarting = true;
    try {
      const nowMs = this.scope.clock.monotonicMs();
      // While a hedge waits for its permit, it goes first.
      if (this.startHedges(nowMs)) this.startQueued(nowMs);
      this.scope.account.sampleMeter(nowMs);
    } finally {
      this.isStarting = false;
    }
  }

  /** True if this incarnation of the run starts no more calls, and leaves the waiting ones to the resumed run. */
  private isLettingGo(): boolean {
    return (this.queue.size > 0 || this.meter.active > 0) && !this.scope.mayStart();
  }

  private startQueued(nowMs: number): void {
    const { caller, gate, queue, scope } = this;
    const isGrouped = this.options.group !== undefined;
    const singles: Attempt<In>[] = [];
    for (let started = 0; queue.size > 0 && !this.hasStopped(); started++) {
      if (started % CHECK_TURN_EVERY === CHECK_TURN_EVERY - 1 && scope.turn.isLong()) {
        this.deferStart();
        break;
      }
      const size = isGrouped ? this.groupSize(nowMs) : 1;
      if (size === 0) break;
      const permit = gate.acquire(size, nowMs);
      if (permit === undefined) break;
      this.groupWaitsSinceMs = undefined;
      const attempts = isGrouped ? [] : singles;
      for (let i = 0; i < size; i++) {
        const call = queue.next(gate.circuit?.state === 'half-open');
        if (call.isOver) {
          // The record timed out in the queue and has left. Its part of the permit is free again.
          gate.release(permit, nowMs);
          this.flushSoon();
        } else attempts.push(this.begin(call, permit, nowMs));
      }
      if (isGrouped && attempts.length > 0) caller.start(attempts, this);
    }
    if (singles.length > 0 && !this.hasStopped()) caller.start(singles, this);
  }

  /** The number of records in the next request; 0 if the group waits for more. */
  private groupSize(nowMs: number): number {
    const { max, waitMs } = this.options.group as GroupOptions;
    this.groupWaitsSinceMs ??= nowMs;
    const waitedMs = nowMs - this.groupWaitsSinceMs;
    const { size } = this.queue;
    if (size >= max || this.isInputOver || waitedMs >= waitMs) return Math.min(max, size);
    this.cancelGroupTimer ??= this.after(waitMs - waitedMs, () => {
      this.cancelGroupTimer = undefined;
      this.start();
    });
    return 0;
  }

  private begin(call: Call<In>, permit: Permit, nowMs: number): Attempt<In> {
    if (!call.isBegun) {
      call.isBegun = true;
      call.firstAt = this.scope.clock.now();
      call.firstAtMs = nowMs;
      call.pausedBeforeMs = this.gate.pausedMs(nowMs);
      call.span = this.scope.beginSpan(call.lineage);
      this.meter.recordStart(nowMs);
      this.armRecordTimeout(call);
    }
    if (call.isBetweenRounds) {
      call.isBetweenRounds = false;
      call.round = { firstAtMs: nowMs, pausedBeforeMs: this.gate.pausedMs(nowMs) };
    }
    call.attempts++;
    return this.launch(new Attempt(call, ++call.tries, false, permit, nowMs), nowMs);
  }

  private launch(attempt: Attempt<In>, nowMs: number): Attempt<In> {
    this.meter.counts.attempts++;
    attempt.call.running.push(attempt);
    this.inFlight.add(attempt, nowMs);
    return attempt;
  }

  private deferStart(): void {
    this.isStartDeferred = true;
    this.scope.turn.defer(() => {
      this.isStartDeferred = false;
      this.start();
    });
  }

  // ── Hedge: a second attempt beside a slow one ──────────────────────────────────────────────────────────────────────

  private scheduleHedge(attempt: Attempt<In>): void {
    if (this.hedgeTimer?.acquire() !== true) return;
    this.hedgesDue.push(attempt);
    this.start();
  }

  /** False while a hedge waits for a permit. */
  private startHedges(nowMs: number): boolean {
    const { hedgesDue } = this;
    for (;;) {
      while (hedgesDue[0]?.isOver === true) hedgesDue.shift();
      const [slow] = hedgesDue;
      if (slow === undefined) return true;
      const permit = this.gate.acquire(1, nowMs);
      if (permit === undefined) return false;
      hedgesDue.shift();
      this.meter.counts.hedges++;
      this.caller.start([this.launch(new Attempt(slow.call, slow.number, true, permit, nowMs), nowMs)], this);
    }
  }

  // ── Timeout: of an attempt, and of a record over all its attempts ──────────────────────────────────────────────────

  private timeOut(attempt: Attempt<In>): void {
    this.meter.counts.timeouts++;
    const error = this.attemptTimeoutError();
    this.cancel(attempt, 'timeout', error);
    this.fail(attempt, error);
  }

  /** Attempts that time out in one turn share one error, because they have one cause: one connection, one upstream. */
  private attemptTimeoutError(): UpstreamError {
    if (this.timeoutError !== undefined) return this.timeoutError;
    const { policies, isIdempotent } = this.options;
    const { silence, doubt } = this.timeoutWords;
    const message = `${silence} within ${describeMs(policies.timeout.options.attemptMs)}; ${doubt}`;
    this.timeoutError = new UpstreamError('MILLRACE_TIMEOUT', message, { blame: 'upstream', retryable: isIdempotent });
    this.scope.clock.defer(() => {
      this.timeoutError = undefined;
    });
    return this.timeoutError;
  }

  /** The timeout of a record stands still while the circuit is not closed. */
  private armRecordTimeout(call: Call<In>): void {
    const { recordMs } = this.options.policies.timeout.options;
    if (!Number.isFinite(recordMs)) return;
    const arm = (delayMs: number): void => {
      call.cancelTimeout = this.after(delayMs, () => {
        const leftMs = recordMs - this.gate.elapsedMs(call, this.scope.clock.monotonicMs());
        if (leftMs > 0) arm(Math.max(1, leftMs));
        else this.timeOutRecord(call, recordMs);
      });
    };
    arm(recordMs);
  }

  private timeOutRecord(call: Call<In>, recordMs: number): void {
    if (call.isOver || this.isStopped) return;
    this.meter.counts.timeouts++;
    const { silence, doubt } = this.timeoutWords;
    const message = `${silence} within ${describeMs(recordMs)} over all attempts; ${doubt}`;
    const error = new MillraceError('MILLRACE_TIMEOUT', message);
    this.cancelRunning(call, 'timeout', error);
    this.parked.remove(call);
    this.giveUp(call, error);
    this.flushSoon();
  }

  // ── Outcome: the transport reports ─────────────────────────────────────────────────────────────────────────────────

  succeed(attempt: Attempt<In>, output: Out | Skip | Again): void {
    if (attempt.isOver) {
      this.meter.counts.late++;
      this.endAbandoned(attempt);
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    const latencyMs = nowMs - attempt.startedAtMs;
    this.hedgeTimer?.recordLatency(latencyMs);
    this.gate.recordSuccess(attempt, latencyMs, nowMs);
    this.parked.recordAnswer();
    this.end(attempt, nowMs);
    const { call } = attempt;
    if (attempt.isHedge) this.meter.counts.hedgesWon++;
    if (call.running.length > 0) {
      this.cancelRunning(call, 'lost', nobodyWaits('Another try of the record was quicker'));
    }
    this.scope.account.retried += call.attempts - 1;
    if (output instanceof Again) {
      this.beginRound(call, output.delayMs);
      return;
    }
    call.span?.end(call.attempts);
    try {
      this.settle(call, output instanceof Skip ? this.scope.skip(output.reason) : output, nowMs);
    } catch (error) {
      this.subscriber.error(error);
    }
  }

  /** The call goes to the end of the queue of calls that were tried, with all its attempts. */
  private beginRound(call: Call<In>, delayMs: number): void {
    call.attempts = 0;
    call.tries = 0;
    call.refusals = 0;
    call.isBetweenRounds = true;
    this.flushSoon();
    if (delayMs > 0) this.requeueAfter(call, delayMs);
    else this.queue.requeue(call);
  }

  fail(attempt: Attempt<In>, thrown: unknown): void {
    if (attempt.isOver) {
      this.endAbandoned(attempt);
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    const error = readableThrown(thrown);
    const kind = failureKind(error);
    const { call } = attempt;
    const { isProbe } = attempt.permit;
    this.gate.recordFailure(attempt, kind, error, nowMs);
    if (kind === 'record') this.parked.recordAnswer();
    this.end(attempt, nowMs);
    // A permit is free, no matter what happens to the call.
    this.flushSoon();
    // The other attempt of a hedged call may still succeed.
    if (call.running.length === 0 && !this.isStopped) this.conclude({ call, kind, error, isProbe }, nowMs);
  }

  /** The attempt is no longer in flight. It releases its permit, at once or when its work has ended. */
  private end(attempt: Attempt<In>, nowMs: number): void {
    const { running } = attempt.call;
    attempt.isOver = true;
    this.inFlight.remove(attempt);
    if (running.length === 1) running.length = 0;
    else running.splice(running.indexOf(attempt), 1);
    if (attempt.isAbandoned) this.gate.abandon(attempt.permit, nowMs);
    else this.gate.release(attempt.permit, nowMs);
  }

  /** Call before `end`. */
  private cancel(attempt: Attempt<In>, reason: CancelReason, error: MillraceError): void {
    attempt.isAbandoned = this.caller.goesOn === true;
    this.caller.cancel(attempt, reason, error);
  }

  private cancelRunning(call: Call<In>, reason: 'lost' | 'timeout', error: MillraceError): void {
    for (const attempt of [...call.running]) {
      if (reason === 'lost') this.meter.counts.hedgesLost++;
      this.cancel(attempt, reason, error);
      this.end(attempt, this.scope.clock.monotonicMs());
    }
  }

  /** The work of an attempt that was cancelled has ended. */
  private endAbandoned(attempt: Attempt<In>): void {
    if (!attempt.isAbandoned) return;
    attempt.isAbandoned = false;
    this.gate.releaseAbandoned();
    this.flushSoon();
  }

  // ── Verdict: what happens to a call whose last attempt in flight has failed ────────────────────────────────────────

  private conclude(failed: FailedCall<In>, nowMs: number): void {
    const { call, error } = failed;
    const verdict = this.verdictOn(failed, nowMs);
    switch (verdict.next) {
      case 'requeue':
        if (!verdict.isCounted) call.attempts--;
        this.queue.requeue(call);
        break;
      case 'postpone':
        call.attempts--;
        call.refusals++;
        this.requeueAfter(call, verdict.delayMs);
        break;
      case 'retry': {
        const { delayMs } = verdict;
        const { lineage, attempts: attempt } = call;
        const [code, message] = [codeOf(error), describeThrown(error)];
        this.meter.counts.retries++;
        this.scope.report({ type: 'retry', lineage, attempt, delayMs, code, message });
        this.requeueAfter(call, delayMs);
        break;
      }
      case 'park':
        this.parked.add(failed);
        break;
      case 'give up':
        this.giveUp(call, 'error' in verdict ? verdict.error : error);
    }
  }

  /** The policies contain functions of the user, which may throw. An error there fails only this record. */
  private verdictOn(failed: FailedCall<In>, nowMs: number): Verdict {
    try {
      return this.judge(failed, nowMs);
    } catch (thrown) {
      const message =
        `\`retryOn\` of '${this.scope.task}' threw: ${describeThrown(thrown)}. ` +
        `It was asked about: ${describeThrown(failed.error)}. Return true or false for each error`;
      return { next: 'give up', error: new MillraceError('MILLRACE_TASK', message, { cause: thrown }) };
    }
  }

  private judge({ call, kind, error, isProbe }: FailedCall<In>, nowMs: number): Verdict {
    const { gate, retryPolicy } = this;
    const { circuit } = gate;
    const { options } = retryPolicy;
    const elapsedMs = gate.elapsedMs(call.round ?? call, nowMs);
    const mayRepeat = options.attempts > 1 && retryPolicy.isRetryable(error);
    if (kind === 'load' && mayRepeat) return this.judgeLoad(call, error, elapsedMs);
    const mayBeDown = (kind === 'answer' || kind === 'silence') && mayRepeat;
    if (mayBeDown && circuit !== undefined && circuit.state !== 'closed') {
      // A record is not given up while the circuit is open.
      return { next: 'requeue', isCounted: isProbe && call.attempts < options.attempts };
    }
    const { attempts } = call;
    const delayMs = retryPolicy.delayAfter({ attempts, elapsedMs, error, random: this.random });
    if (delayMs !== undefined) return { next: 'retry', delayMs };
    if (mayBeDown && attempts < options.attempts) {
      const waitMs = this.waitFor(retryAfterOf(error), elapsedMs);
      if (waitMs > 0) return { next: 'retry', delayMs: waitMs };
    }
    if (circuit === undefined) return { next: 'give up' };
    const isOpen = mayBeDown
      ? !circuit.isOwnFault(call)
      : kind === 'credentials' || (kind === 'access' && !circuit.hasAnswered);
    return { next: isOpen ? 'park' : 'give up' };
  }

  /** The upstream refused before it did any work: the call has lost only time. */
  private judgeLoad(call: Call<In>, error: unknown, elapsedMs: number): Verdict {
    const { attempts, budgetMs } = this.retryPolicy.options;
    const refusals = call.refusals + 1;
    const backoffMs = this.retryPolicy.backoffMs(Math.min(refusals, REFUSALS_THAT_DELAY), this.random);
    const delayMs = Math.max(backoffMs, retryAfterOf(error) ?? 0);
    // A record that is refused again and again while others are accepted is itself the cause.
    const isAlone = refusals >= attempts && this.gate.hasAnsweredSince((call.round ?? call).firstAtMs);
    if (isAlone && elapsedMs + delayMs > budgetMs) return { next: 'give up' };
    // A Retry-After of a year must not hold the run for a year.
    return { next: 'postpone', delayMs: Math.min(delayMs, budgetMs) };
  }

  /**
   * Milliseconds that a record waits for a Retry-After that exceeds its budget: at most the deadline of the breaker.
   * Not above 0 if the record does not wait.
   */
  private waitFor(retryAfterMs: number | undefined, elapsedMs: number): number {
    const { budgetMs } = this.retryPolicy.options;
    if (retryAfterMs === undefined || elapsedMs > budgetMs) return 0;
    const mostMs = this.options.policies.breaker?.options.deadlineMs ?? MAX_WAIT_MS;
    return Math.min(retryAfterMs, mostMs - elapsedMs);
  }

  private readonly random = (): number => this.scope.random();

  private requeueAfter(call: Call<In>, delayMs: number): void {
    this.after(delayMs, () => {
      // The record may have timed out during the delay.
      if (call.isOver) return;
      this.queue.requeue(call);
      this.start();
    });
  }

  // ── Park: records wait for evidence ────────────────────────────────────────────────────────────────────────────────

  /** Decides about parked calls as soon as there is evidence, and at the latest when no other call is left to try. */
  private releaseParked(): void {
    const { parked, gate, queue } = this;
    const { circuit } = gate;
    if (parked.size === 0 || circuit === undefined) return;
    if (parked.hasAnswer) {
      for (const failed of parked.removeAll()) {
        // Other calls were answered. So a refusal concerns only this record, and a failed call gets another attempt,
        // which shows whether its record is the cause.
        if (isRefusal(failed.kind)) this.giveUp(failed.call, failed.error);
        else this.requeueParked(failed.call);
      }
      return;
    }
    const isAlone = parked.size >= this.meter.active && queue.size === 0;
    const refusal = parked.refusalOfAll(isAlone && !circuit.hasAnswered);
    if (refusal !== undefined) {
      this.subscriber.error(this.refusedError(refusal));
      return;
    }
    const mayWait = circuit.state !== 'closed' || (isAlone && circuit.opensForTail(this.scope.clock.monotonicMs()));
    if (!mayWait && !isAlone) return;
    for (const failed of parked.removeAll(mayWait && !isAlone)) {
      if (mayWait && !isRefusal(failed.kind)) this.requeueParked(failed.call);
      else this.giveUp(failed.call, failed.error);
    }
  }

  private requeueParked(call: Call<In>): void {
    if (call.isOver) return;
    call.attempts--;
    this.queue.requeue(call);
  }

  private refusedError(error: unknown): FatalTaskError {
    const { upstream } = this.options;
    const code = error instanceof MillraceError ? error.code : 'MILLRACE_HTTP_STATUS';
    return new FatalTaskError(
      code,
      `${upstream} refuses every call of '${this.scope.task}', so the run stops; its unfinished records are not lost. ` +
        `The last answer: ${describeThrown(error)}. Check the credentials (\`headers\`), the quota and the URL, and resume the run`,
      { cause: error },
    );
  }

  private giveUp(call: Call<In>, error: unknown): void {
    if (call.isOver || this.isStopped) return;
    const { scope } = this;
    const attempts = Math.max(1, call.attempts);
    try {
      const failure = { lineage: call.lineage, record: call.record, error, attempts };
      call.span?.end(attempts, { error });
      const output = scope.giveUp(call.isBegun ? { ...failure, firstAt: call.firstAt } : failure);
      this.settle(call, output as Out | Gone, scope.clock.monotonicMs());
    } catch (fatal) {
      this.subscriber.error(fatal);
    }
  }

  // ── Leave: records that settle in one turn leave as one batch, in input order if required ──────────────────────────

  private settle(call: Call<In>, output: Out | Gone, nowMs: number): void {
    call.isOver = true;
    call.cancelTimeout?.();
    this.meter.recordEnd(call, nowMs);
    this.caller.ended?.(call.lineage);
    this.leave(call.lineage, output);
  }

  private leave(lineage: Lineage, output: Out | Gone): void {
    this.outputs.add(lineage, output);
    this.flushSoon();
  }

  private flushSoon(): void {
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    // Runs after all continuations of this turn.
    process.nextTick(this.flush);
  }

  /** Emits what has settled, and starts calls with the permits that were released. */
  private readonly flush = (): void => {
    this.isFlushDue = false;
    if (this.isStopped) return;
    if (this.parked.size > 0) this.releaseParked();
    if (this.hasStopped()) return;
    if (this.outputs.isReady) this.outputs.emit();
    this.start();
    this.completeIfDone();
  };

  private completeIfDone(): void {
    if (!this.isInputOver || this.isStopped || this.isFlushDue) return;
    if (this.meter.active === 0 && this.queue.size === 0 && !this.outputs.isReady) this.subscriber.complete();
  }

  // ── Stop ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Cancels everything in flight and reports the summary. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    const { scope, options, gate, caller } = this;
    const error = whyOver(scope.signal);
    for (const attempt of this.inFlight.all()) {
      attempt.isOver = true;
      caller.cancel(attempt, 'over', error);
    }
    this.inFlight.stop();
    for (const cancel of this.timers) cancel();
    gate.stop();
    this.queue.clear();
    this.parked.clear();
    scope.report({
      type: 'calls',
      upstream: options.upstream,
      policies: String(options.policies),
      concurrency: gate.healthyLimit,
      counts: { ...this.meter.counts, ...gate.counts, ...caller.counts },
    });
  }

  /** A method, not the field, so TypeScript does not narrow it across calls to the transport. */
  private hasStopped(): boolean {
    return this.isStopped;
  }

  /** Calls `action` after the delay, unless the engine stops first; the returned function cancels it. */
  private after(delayMs: number, action: () => void): () => void {
    const cancelTimer = this.scope.clock.schedule(delayMs, () => {
      this.timers.delete(cancel);
      action();
    });
    const cancel = (): void => {
      this.timers.delete(cancel);
      cancelTimer();
    };
    this.timers.add(cancel);
    return cancel;
  }
}
