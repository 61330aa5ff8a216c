/**
 * The calls of one task in one run, from the queue to the exit: ends what answers, fails or takes too long, and hands
 * back what may be repeated; the starter starts what the gate lets through. `mapCalls` says what it promises.
 *
 * A record is in exactly one place: waiting for its first attempt, active (an attempt under way, a delay, or waiting for
 * another), or at the exit.
 */
import type { Subscriber } from 'rxjs';
import { Skip, type Batch, type Gone } from '../model/record.js';
import { codeOf, describeThrown, type MillraceError } from '../model/errors.js';
import type { TaskScope } from '../stream/task-scope.js';
import { nobodyWaits, whyOver } from '../stream/attempt-signal.js';
import type { Attempt, Call, Caller, CallOutcomes, CancelReason } from './call.js';
import type { CallDeadlines } from './call-deadlines.js';
import type { CallExit } from './call-exit.js';
import type { CallGate } from './call-gate.js';
import type { CallMeter } from './call-meter.js';
import { assembleCalls, type MapCallsOptions } from './call-parts.js';
import type { CallStarter } from './call-starter.js';
import { judgeFailure } from './call-verdict.js';
import type { Delays } from './delays.js';
import type { RunningAttempts } from './running-attempts.js';
import type { SlowCalls } from './slow-calls.js';
import type { WaitingCalls } from './waiting-calls.js';

export class CallMapper<In, Out> implements CallOutcomes<In, Out | Skip> {
  private readonly caller: Caller<In, Out | Skip>;
  private readonly options: MapCallsOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly gate: CallGate;
  private readonly slow: SlowCalls<In> | undefined;
  private readonly running: RunningAttempts<In>;
  private readonly waiting: WaitingCalls<In>;
  private readonly meter: CallMeter<In>;
  private readonly exit: CallExit<Out>;
  private readonly delays: Delays;
  private readonly deadlines: CallDeadlines<In>;
  private readonly starter: CallStarter<In, Out>;
  private isInputOver = false;
  private isStopped = false;

  constructor(
    caller: Caller<In, Out | Skip>,
    options: MapCallsOptions,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.caller = caller;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    const parts = assembleCalls<In, Out>(caller, options, scope, {
      outcomes: this,
      fail: (error) => {
        subscriber.error(error);
      },
      emit: (batch) => {
        subscriber.next(batch);
      },
      onFirst: (call, nowMs) => {
        this.register(call, nowMs);
      },
      onTimeout: (attempt) => {
        this.timeOut(attempt);
      },
      onRecordTimeout: (call, error) => {
        this.timeOutRecord(call, error);
      },
      onHopeless: (call, error) => {
        this.giveUp(call, error);
      },
      onFlushed: () => {
        this.completeIfDone();
      },
    });
    ({ gate: this.gate, slow: this.slow, running: this.running, waiting: this.waiting, meter: this.meter } = parts);
    ({ exit: this.exit, delays: this.delays, deadlines: this.deadlines, starter: this.starter } = parts);
    scope.account.watch(() => {
      // What a timer holds back, or work that goes on by itself, is under way: the run has not stalled.
      const isWaiting = this.gate.waitsByItself;
      const queued = this.waiting.neverAsked;
      return {
        queued: isWaiting ? 0 : queued,
        running: this.meter.active + (isWaiting ? queued : 0),
        waiting: this.exit.waiting,
        places: isWaiting ? 1 : Math.max(1, Math.min(this.gate.places, scope.root.window)),
      };
    });
  }

  take(batch: Batch<In>): void {
    const count = batch.length - batch.gone;
    this.scope.account.in += count;
    this.meter.arrive(count);
    this.exit.expect(batch);
    this.waiting.take(batch);
    this.starter.pump();
  }

  finish(): void {
    this.isInputOver = true;
    this.starter.finish();
    this.completeIfDone();
  }

  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    const why = whyOver(this.scope.signal);
    for (const attempt of this.running.all()) {
      attempt.isOver = true;
      this.caller.cancel(attempt, 'over', why);
    }
    this.starter.stop();
    this.running.stop();
    this.delays.stop();
    this.exit.stop();
    this.gate.stop();
    this.waiting.clear();
    const { scope, options } = this;
    scope.tell({
      type: 'calls',
      upstream: options.upstream,
      policies: String(options.policies),
      concurrency: this.gate.chosen,
      counts: {
        ...this.starter.counts,
        ...this.meter.counts,
        throttled: this.gate.throttled,
        circuitOpened: this.gate.opened,
        ...this.caller.counts,
      },
    });
  }

  succeed(attempt: Attempt<In>, output: Out | Skip): void {
    if (attempt.isOver) {
      this.meter.counts.late++;
      this.release(attempt);
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    const latencyMs = nowMs - attempt.startedAtMs;
    this.slow?.record(latencyMs);
    this.gate.succeed(attempt.flight, latencyMs, nowMs);
    this.end(attempt);
    const { call } = attempt;
    if (attempt.isHedge) this.meter.counts.hedgesWon++;
    if (call.running.length > 0) this.cancelOthers(call, 'lost', nobodyWaits('Another try of the record was quicker'));
    this.scope.account.retried += call.attempts - 1;
    call.span?.end(call.attempts);
    try {
      this.conclude(call, output instanceof Skip ? this.scope.skip(output.reason) : output, nowMs);
    } catch (error) {
      this.subscriber.error(error);
    }
  }

  fail(attempt: Attempt<In>, error: unknown): void {
    if (attempt.isOver) {
      this.release(attempt);
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
        this.waiting.putBack(call);
        break;
      case 'wait':
        call.attempts--;
        call.refusals++;
        this.wakeLater(call, verdict.delayMs);
        break;
      case 'retry': {
        const { delayMs } = verdict;
        const { lineage, attempts: attempt } = call;
        this.meter.counts.retries++;
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
      this.waiting.putBack(call);
      this.starter.pump();
    });
  }

  private giveUp(call: Call<In>, error: unknown): void {
    const { scope } = this;
    const attempts = Math.max(1, call.attempts);
    try {
      const failure = { lineage: call.lineage, record: call.record, error, attempts };
      call.span?.end(attempts, { error });
      const left = scope.giveUp(call.isBegun ? { ...failure, firstAt: call.firstAt } : failure);
      this.conclude(call, left as Out | Gone, scope.clock.monotonicMs());
    } catch (fatal) {
      this.subscriber.error(fatal);
    }
  }

  private timeOut(attempt: Attempt<In>): void {
    this.meter.counts.timeouts++;
    const error = this.deadlines.errorOfAttempt();
    this.cancel(attempt, 'timeout', error);
    this.fail(attempt, error);
  }

  private timeOutRecord(call: Call<In>, error: MillraceError): void {
    if (call.isOver || this.isStopped) return;
    this.meter.counts.timeouts++;
    this.cancelOthers(call, 'timeout', error);
    this.giveUp(call, error);
    this.exit.flushSoon();
  }

  private cancelOthers(call: Call<In>, reason: 'lost' | 'timeout', error: MillraceError): void {
    for (const other of [...call.running]) {
      if (reason === 'lost') this.meter.counts.hedgesLost++;
      this.cancel(other, reason, error);
      this.end(other);
    }
  }

  /** Nobody waits for it any more. Call before `end`. */
  private cancel(attempt: Attempt<In>, reason: CancelReason, error: MillraceError): void {
    attempt.isAbandoned = this.caller.goesOn === true;
    this.caller.cancel(attempt, reason, error);
  }

  /** The work of an attempt that nobody waited for is over. */
  private release(attempt: Attempt<In>): void {
    if (!attempt.isAbandoned) return;
    attempt.isAbandoned = false;
    this.gate.release();
    this.exit.flushSoon();
  }

  /** A record is asked about for the first time. */
  private register(call: Call<In>, nowMs: number): void {
    this.meter.start(nowMs);
    call.span = this.scope.beginSpan(call.lineage);
    call.isBegun = true;
    call.firstAt = this.scope.clock.now();
    call.firstAtMs = nowMs;
    call.pausedBeforeMs = this.gate.pausedMs(nowMs);
    this.deadlines.start(call);
  }

  /** An attempt is under way no more: its slot is free, as soon as its work is over. */
  private end(attempt: Attempt<In>): void {
    const { running } = attempt.call;
    attempt.isOver = true;
    this.running.remove(attempt);
    if (running.length === 1) running.length = 0;
    else running.splice(running.indexOf(attempt), 1);
    if (attempt.isAbandoned) this.gate.abandon(attempt.flight);
    else this.gate.leave(attempt.flight);
  }

  private conclude(call: Call<In>, output: Out | Gone, nowMs: number): void {
    call.isOver = true;
    call.cancelTimeout?.();
    this.meter.end(call, nowMs);
    this.exit.leave(call.lineage, output);
  }

  private completeIfDone(): void {
    if (!this.isInputOver || this.isStopped || this.exit.isFlushing || this.meter.active > 0 || this.waiting.size > 0)
      return;
    if (this.exit.isEmpty) this.subscriber.complete();
  }
}
