/**
 * The calls of one task in one run, from the queue to the exit: starts what the gate lets through, ends what answers,
 * fails or takes too long, and starts again what may be repeated. `mapCalls` says what it promises.
 *
 * A record is in exactly one place: in the queue, active (an attempt under way, a delay, or `again`), or at the exit.
 */
import type { Subscriber } from 'rxjs';
import { ArrivalTimes } from '../core/arrival-times.js';
import { Skip, type Batch, type Gone } from '../core/record.js';
import { MillraceError, codeOf, describeThrown } from '../core/errors.js';
import type { TaskScope } from '../core/ports.js';
import { Ring } from '../core/ring.js';
import { sampleWeight } from '../core/sampling.js';
import { UpstreamError } from '../core/upstream-error.js';
import { Attempt, Call, type Caller, type CallOutcomes, type Flight } from './call.js';
import { CallExit } from './call-exit.js';
import { CallGate } from './call-gate.js';
import { CallGrouping, type GroupOptions } from './call-grouping.js';
import type { CallPolicies } from './call-policies.js';
import { FairQueue, FifoQueue, type CallQueue } from './call-queue.js';
import { judgeFailure } from './call-verdict.js';
import { Delays } from './delays.js';
import { describeMs } from './policy.js';
import { RunningAttempts } from './running-attempts.js';
import { SlowCalls } from './slow-calls.js';

export interface MapCallsOptions {
  readonly policies: CallPolicies;
  /** Calls in flight where no policy names a number. */
  readonly concurrency: number;
  /** What is called, for messages. */
  readonly upstream: string;
  /** Whether a call whose outcome is unknown may be repeated: a key is sent, or the method is idempotent. */
  readonly isIdempotent: boolean;
  readonly ordered?: boolean;
  /** How many records travel as one request, and how long a record waits for company. Default: one. */
  readonly group?: GroupOptions;
}

/** How many calls are started before a look whether the turn is long. */
const LOOK_EVERY = 64;

export class CallMapper<In, Out> implements CallOutcomes<In, Out | Skip> {
  private readonly caller: Caller<In, Out | Skip>;
  private readonly options: MapCallsOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly gate: CallGate;
  private readonly slow: SlowCalls<In> | undefined;
  private readonly running: RunningAttempts<In>;
  private readonly queue: CallQueue<In>;
  private readonly arrivals: ArrivalTimes;
  /** Calls whose delay is over, or that the circuit sent back. */
  private readonly again: Ring<Call<In>>;
  private readonly exit: CallExit<Out>;
  private readonly delays: Delays;
  private readonly grouping: CallGrouping | undefined;
  /** Calls that have started and not ended, whether an attempt is under way or not. */
  private active = 0;
  private started = 0;
  private ended = 0;
  private isPumping = false;
  private isDeferred = false;
  private isInputOver = false;
  private isStopped = false;
  /** Attempts that time out in one turn have one cause: a connection that is stuck, an upstream that is. */
  private timeoutError: UpstreamError | undefined;
  private readonly counts = { attempts: 0, retries: 0, timeouts: 0, hedges: 0, hedgesWon: 0, hedgesLost: 0, late: 0 };

  constructor(
    caller: Caller<In, Out | Skip>,
    options: MapCallsOptions,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    const { policies, upstream, isIdempotent } = options;
    const { window } = scope.root;
    this.caller = caller;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    const wake = (): void => {
      this.pump();
    };
    this.gate = new CallGate({
      policies,
      defaultConcurrency: options.concurrency,
      upstream,
      scope,
      wake,
      fail: (error) => {
        this.subscriber.error(error);
      },
    });
    if (policies.hedge !== undefined && isIdempotent) this.slow = new SlowCalls(policies.hedge);
    this.running = new RunningAttempts<In>(policies.timeout.attemptMs, scope.clock, {
      onTimeout: (attempt) => {
        this.timeOut(attempt, policies.timeout.attemptMs);
      },
      onSlow: (attempt) => {
        if (this.slow?.add(attempt) === true) this.pump();
      },
      hedgeAfterMs: () => this.slow?.afterMs ?? Infinity,
    });
    this.queue =
      policies.fairness === undefined
        ? new FifoQueue(window)
        : new FairQueue(policies.fairness.keyOf as (record: In) => unknown, window, (record, lineage, error) => {
            this.giveUp(new Call(record, lineage), error);
          });
    this.again = new Ring(window);
    this.arrivals = new ArrivalTimes(window);
    this.delays = new Delays(scope.clock);
    const { group } = options;
    if (group !== undefined) this.grouping = new CallGrouping(group, scope.clock, this.delays, wake);
    this.exit = new CallExit<Out>(
      options.ordered ?? false,
      scope,
      (batch) => {
        subscriber.next(batch);
      },
      () => {
        this.pump();
        this.completeIfDone();
      },
    );
    scope.account.watch(() => {
      // What only a timer holds back is under way: the run has not stalled.
      const isWaiting = this.gate.waitsForTimer;
      const queued = this.queue.size;
      return {
        queued: isWaiting ? 0 : queued,
        running: this.active + (isWaiting ? queued : 0),
        waiting: this.exit.waiting,
        places: isWaiting ? 1 : Math.max(1, Math.min(this.gate.concurrency, window)),
      };
    });
  }

  take(batch: Batch<In>): void {
    const { account, clock } = this.scope;
    const count = batch.length - batch.gone;
    account.in += count;
    this.arrivals.arrive(count, clock.monotonicMs());
    this.exit.expect(batch);
    this.queue.push(batch);
    this.pump();
  }

  finish(): void {
    this.isInputOver = true;
    this.pump();
    this.completeIfDone();
  }

  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    for (const attempt of this.running.all()) {
      attempt.isOver = true;
      this.caller.cancel(attempt, 'over');
    }
    this.running.stop();
    this.delays.stop();
    this.exit.stop();
    this.gate.stop();
    this.queue.clear();
    this.again.clear();
    const { scope, options } = this;
    scope.tell({
      type: 'calls',
      upstream: options.upstream,
      policies: String(options.policies),
      counts: {
        ...this.counts,
        throttled: this.gate.throttled,
        circuitOpened: this.gate.opened,
        ...this.caller.counts,
      },
    });
  }

  succeed(attempt: Attempt<In>, output: Out | Skip): void {
    if (attempt.isOver) {
      this.counts.late++;
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    const latencyMs = nowMs - attempt.startedAtMs;
    this.slow?.record(latencyMs);
    this.gate.succeed(attempt.flight, latencyMs, nowMs);
    this.end(attempt);
    const { call } = attempt;
    if (attempt.isHedge) this.counts.hedgesWon++;
    this.cancelOthers(call, 'lost');
    this.scope.account.retried += call.attempts - 1;
    try {
      this.conclude(call, output instanceof Skip ? this.scope.skip(output.reason) : output, nowMs);
    } catch (error) {
      this.subscriber.error(error);
    }
  }

  fail(attempt: Attempt<In>, error: unknown): void {
    if (attempt.isOver) {
      this.counts.late++;
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    this.gate.fail(attempt.flight, error, attempt.call.lineage, nowMs);
    this.end(attempt);
    const { call } = attempt;
    // There is a free slot, whatever becomes of the record.
    this.exit.flushSoon();
    // The other try of a hedged call may still succeed.
    if (call.running.length === 0 && !this.isStopped) this.settle(call, error, nowMs);
  }

  /** None of its attempts is under way any more. */
  private settle(call: Call<In>, error: unknown, nowMs: number): void {
    const { gate, scope } = this;
    const verdict = judgeFailure(call, error, nowMs, { retry: this.options.policies.retry, gate, random: this.random });
    switch (verdict.next) {
      case 'again':
        call.attempts--;
        this.again.push(call);
        break;
      case 'wait':
        call.attempts--;
        call.refusals++;
        this.wakeLater(call, verdict.delayMs);
        break;
      case 'retry': {
        const { delayMs } = verdict;
        const { lineage, attempts: attempt } = call;
        this.counts.retries++;
        scope.tell({ type: 'retry', lineage, attempt, delayMs, code: codeOf(error), message: describeThrown(error) });
        this.wakeLater(call, delayMs);
        break;
      }
      case 'give up':
        this.giveUp(call, error);
    }
  }

  private readonly random = (): number => this.scope.random();

  private wakeLater(call: Call<In>, delayMs: number): void {
    this.delays.after(delayMs, () => {
      if (call.isOver) return;
      this.again.push(call);
      this.pump();
    });
  }

  private giveUp(call: Call<In>, error: unknown): void {
    const { scope } = this;
    const attempts = Math.max(1, call.attempts);
    try {
      const failure = { lineage: call.lineage, record: call.record, error, attempts };
      const left = scope.giveUp(call.firstAt === 0 ? failure : { ...failure, firstAt: call.firstAt });
      this.conclude(call, left as Out | Gone, scope.clock.monotonicMs());
    } catch (fatal) {
      this.subscriber.error(fatal);
    }
  }

  /** Starts what may start. Safe to call from anywhere, any number of times. */
  private pump(): void {
    if (this.isPumping || this.isStopped || this.isDeferred) return;
    this.isPumping = true;
    try {
      const nowMs = this.scope.clock.monotonicMs();
      this.startAll(nowMs);
      this.scope.account.mark(nowMs);
    } finally {
      this.isPumping = false;
    }
  }

  private startAll(nowMs: number): void {
    const { grouping } = this;
    const { turn } = this.scope;
    const singles: Attempt<In>[] = [];
    if (!this.startHedges(nowMs)) return;
    for (let begun = 0; this.candidates > 0 && !this.hasEnded(); begun++) {
      if (begun % LOOK_EVERY === LOOK_EVERY - 1 && turn.isLong()) {
        this.deferPump();
        break;
      }
      const size = grouping?.sizeOf(this.candidates, this.isInputOver) ?? 1;
      if (size === 0) break;
      const flight = this.gate.enter(size, nowMs);
      if (flight === undefined) break;
      grouping?.leave();
      const attempts = grouping === undefined ? singles : [];
      for (let i = 0; i < size; i++) {
        const call = this.nextCall();
        // Timed out while it waited for its turn: it has left already, its place is given back.
        if (call.isOver) {
          this.gate.leave(flight);
          this.exit.flushSoon();
        } else attempts.push(this.begin(call, flight, nowMs));
      }
      if (attempts !== singles && attempts.length > 0) this.caller.start(attempts, this);
    }
    if (singles.length > 0 && !this.hasEnded()) this.caller.start(singles, this);
  }

  private get candidates(): number {
    return this.queue.size + this.again.size;
  }

  /** Those that had an attempt go first; a probe of a sick upstream takes a fresh one, which proves more. */
  private nextCall(): Call<In> {
    const isProbing = this.gate.circuit?.state === 'half-open';
    if (this.again.size > 0 && !(isProbing && this.queue.size > 0)) return this.again.shift();
    return this.queue.take((record, lineage) => new Call(record, lineage));
  }

  private begin(call: Call<In>, flight: Flight, nowMs: number): Attempt<In> {
    const { clock, account } = this.scope;
    if (call.firstAt === 0) {
      this.active++;
      if (this.started === 0) account.firstAtMs ??= nowMs;
      if (sampleWeight(this.started) > 0) this.scope.sampleQueueing(nowMs - this.arrivals.of(this.started));
      this.started++;
      call.firstAt = clock.now();
      call.firstAtMs = nowMs;
      call.pausedBeforeMs = this.gate.pausedMs(nowMs);
      this.limitRecord(call);
    }
    call.attempts++;
    return this.launch(new Attempt(call, call.attempts, false, flight, nowMs), nowMs);
  }

  private launch(attempt: Attempt<In>, nowMs: number): Attempt<In> {
    this.counts.attempts++;
    attempt.call.running.push(attempt);
    this.running.add(attempt, nowMs);
    return attempt;
  }

  /** Second tries beside slow first ones: the next free slots are theirs. False while one waits for its slot. */
  private startHedges(nowMs: number): boolean {
    for (let slow = this.slow?.next; slow !== undefined; slow = this.slow?.next) {
      const flight = this.gate.enter(1, nowMs);
      if (flight === undefined) return false;
      this.slow?.shift();
      this.counts.hedges++;
      const { call, number } = slow;
      this.caller.start([this.launch(new Attempt(call, number, true, flight, nowMs), nowMs)], this);
    }
    return true;
  }

  private timeOut(attempt: Attempt<In>, timeoutMs: number): void {
    this.counts.timeouts++;
    const { upstream, isIdempotent } = this.options;
    this.caller.cancel(attempt, 'timeout');
    if (this.timeoutError === undefined) {
      this.timeoutError = new UpstreamError(
        'MILLRACE_TIMEOUT',
        `${upstream} did not answer '${this.scope.task}' within ${describeMs(timeoutMs)}; whether the request took effect is unknown`,
        { blame: 'upstream', retryable: isIdempotent },
      );
      this.scope.clock.defer(() => {
        this.timeoutError = undefined;
      });
    }
    this.fail(attempt, this.timeoutError);
  }

  /** The record's own timeout, over all its attempts. */
  private limitRecord(call: Call<In>): void {
    const { recordMs } = this.options.policies.timeout;
    if (!Number.isFinite(recordMs)) return;
    const arm = (delayMs: number): void => {
      call.cancelTimeout = this.delays.after(delayMs, () => {
        const nowMs = this.scope.clock.monotonicMs();
        const spentMs = this.gate.spentMs(call, nowMs);
        // Time in which the whole task was paused is not the record's.
        if (spentMs < recordMs) arm(Math.max(1, recordMs - spentMs));
        else this.timeOutRecord(call, recordMs);
      });
    };
    arm(recordMs);
  }

  private timeOutRecord(call: Call<In>, recordMs: number): void {
    if (call.isOver || this.isStopped) return;
    this.counts.timeouts++;
    this.cancelOthers(call, 'timeout');
    this.giveUp(
      call,
      new MillraceError(
        'MILLRACE_TIMEOUT',
        `${this.options.upstream} did not answer '${this.scope.task}' within ${describeMs(recordMs)} over all attempts; whether a request took effect is unknown`,
      ),
    );
    this.exit.flushSoon();
  }

  private cancelOthers(call: Call<In>, reason: 'lost' | 'timeout'): void {
    for (const other of [...call.running]) {
      if (reason === 'lost') this.counts.hedgesLost++;
      this.caller.cancel(other, reason);
      this.end(other);
    }
  }

  /** An attempt is under way no more: its slot is free. */
  private end(attempt: Attempt<In>): void {
    const { running } = attempt.call;
    attempt.isOver = true;
    this.running.remove(attempt);
    if (running.length === 1) running.length = 0;
    else running.splice(running.indexOf(attempt), 1);
    this.gate.leave(attempt.flight);
  }

  private conclude(call: Call<In>, output: Out | Gone, nowMs: number): void {
    call.isOver = true;
    call.cancelTimeout?.();
    if (call.firstAt !== 0) {
      this.active--;
      if (sampleWeight(this.ended++) > 0) this.scope.sampleLatency(nowMs - call.firstAtMs, call.lineage);
    }
    this.exit.leave(call.lineage, output);
  }

  /** Asked anew after every call out: the run may have ended meanwhile. */
  private hasEnded(): boolean {
    return this.isStopped;
  }

  private deferPump(): void {
    this.isDeferred = true;
    this.scope.turn.defer(() => {
      this.isDeferred = false;
      this.pump();
    });
  }

  private completeIfDone(): void {
    if (!this.isInputOver || this.isStopped || this.exit.isFlushing || this.active > 0 || this.candidates > 0) return;
    if (this.exit.isEmpty) this.subscriber.complete();
  }
}
