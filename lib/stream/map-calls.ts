/**
 * Asks an upstream about each record: attempts, retries, timeouts, hedges, and everything the gate holds back.
 *
 * Promises: every record leaves exactly once, as its answer or given up with the attempts it had; a record that waits
 * for its next attempt holds no slot; in flight never exceeds the window, whatever the upstream does; while the upstream
 * is down or busy nothing is given up and no attempt counted; with `ordered` outputs leave in input order; after
 * unsubscribe no attempt is under way and no timer left.
 */
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import { BatchBuilder, GONE, Skip, type Batch, type Gone } from '../core/record.js';
import { MillraceError, codeOf, describeThrown } from '../core/errors.js';
import type { TaskScope } from '../core/ports.js';
import { Ring } from '../core/ring.js';
import { UpstreamError, blameOf } from '../core/upstream-error.js';
import { Attempt, Call, type Caller, type CallOutcomes, type Flight } from './call.js';
import { CallGate } from './call-gate.js';
import type { CallPolicies } from './call-policies.js';
import { FairQueue, FifoQueue, type CallQueue } from './call-queue.js';
import { HedgeTimer } from './hedge-policy.js';
import { describeMs } from './policy.js';
import { observe } from './observe.js';
import { Reorder } from './reorder.js';
import { retryAfterOf } from './retry-policy.js';
import { RunningAttempts } from './running-attempts.js';

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
  readonly group?: { readonly max: number; readonly waitMs: number };
}

/** Every record is timed until this many were, then one in `SAMPLE_EVERY`. */
const TIME_ALL_UNTIL = 1024;
const SAMPLE_EVERY = 32;
/** How many calls are started before a look whether the turn is long. */
const LOOK_EVERY = 64;

export function mapCalls<In, Out>(
  caller: Caller<In, Out | Skip>,
  options: MapCallsOptions,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return (input$) =>
    new Observable((subscriber) => {
      const mapper = new CallMapper<In, Out>(caller, options, scope, subscriber);
      observe(
        input$,
        subscriber,
        (batch) => {
          mapper.take(batch);
        },
        () => {
          mapper.finish();
        },
      );
      subscriber.add(() => {
        mapper.stop();
      });
    });
}

class CallMapper<In, Out> implements CallOutcomes<In, Out | Skip> {
  private readonly caller: Caller<In, Out | Skip>;
  private readonly options: MapCallsOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly gate: CallGate;
  private readonly hedging: HedgeTimer | undefined;
  private readonly running: RunningAttempts<In>;
  private readonly queue: CallQueue<In>;
  /** Calls whose delay is over, or that the circuit sent back. */
  private readonly again: Ring<Call<In>>;
  private readonly done = new BatchBuilder<Out>();
  private readonly reorder: Reorder<Out> | undefined;
  private readonly delays = new Set<() => void>();
  /** Calls that have started and not ended, whether an attempt is under way or not. */
  private active = 0;
  private started = 0;
  private waiting = 0;
  private groupSinceMs: number | undefined;
  private cancelGroupTimer: (() => void) | undefined;
  private isFlushing = false;
  private isPumping = false;
  private isDeferred = false;
  private isInputOver = false;
  private isStopped = false;
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
    this.gate = new CallGate({
      policies,
      defaultConcurrency: options.concurrency,
      upstream,
      scope,
      wake: () => {
        this.pump();
      },
      fail: (error) => {
        this.subscriber.error(error);
      },
    });
    if (policies.hedge !== undefined && isIdempotent) this.hedging = new HedgeTimer(policies.hedge);
    this.running = new RunningAttempts<In>(policies.timeout.attemptMs, scope.clock, {
      onTimeout: (attempt) => {
        this.timeOut(attempt, policies.timeout.attemptMs);
      },
      onSlow: (attempt) => {
        this.hedge(attempt);
      },
      hedgeAfterMs: () => this.hedging?.delayMs ?? Infinity,
    });
    this.queue =
      policies.fairness === undefined
        ? new FifoQueue(window)
        : new FairQueue(policies.fairness.keyOf as (record: In) => unknown, window, (record, lineage, error) => {
            this.giveUp(new Call(record, lineage), error);
          });
    this.again = new Ring(window);
    this.reorder = options.ordered === true ? new Reorder(window) : undefined;
    scope.account.watch(() => {
      // What only a timer holds back is under way: the run has not stalled.
      const isWaiting = this.gate.waitsForTimer;
      const queued = this.queue.size;
      return { queued: isWaiting ? 0 : queued, running: this.active + (isWaiting ? queued : 0), waiting: this.waiting };
    });
  }

  take(batch: Batch<In>): void {
    this.scope.account.in += batch.length - batch.gone;
    if (this.reorder !== undefined) for (const lineage of batch.lineages) this.reorder.expect(lineage);
    if (batch.gone > 0) this.passGone(batch);
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
    for (const cancel of this.delays) cancel();
    this.cancelGroupTimer?.();
    this.gate.stop();
    this.queue.clear();
    this.again.clear();
    const { scope, options } = this;
    scope.tell({
      type: 'calls',
      upstream: options.upstream,
      policies: String(options.policies),
      counts: { ...this.counts, throttled: this.gate.throttled, circuitOpened: this.gate.opened, ...this.caller.counts },
    });
  }

  succeed(attempt: Attempt<In>, output: Out | Skip): void {
    if (attempt.isOver) {
      this.counts.late++;
      return;
    }
    const nowMs = this.scope.clock.monotonicMs();
    const latencyMs = nowMs - attempt.startedAtMs;
    this.hedging?.record(latencyMs);
    this.gate.succeed(latencyMs, nowMs);
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
    this.gate.fail(error, attempt.call.lineage, nowMs);
    this.end(attempt);
    const { call } = attempt;
    // The other try of a hedged call may still succeed.
    if (call.running.length > 0 || this.isStopped) return;
    this.judge(call, error, nowMs);
    this.pumpSoon();
  }

  /** Decides what becomes of a call none of whose attempts is under way. */
  private judge(call: Call<In>, error: unknown, nowMs: number): void {
    const { retry } = this.options.policies;
    const { random } = this.scope;
    const pausedMs = this.gate.pausedMs(nowMs) - call.pausedBeforeMs;
    const elapsedMs = nowMs - call.firstAtMs - pausedMs;
    const blame = blameOf(error);
    const isBudgetLeft = elapsedMs <= retry.budgetMs || !this.gate.hasSucceededSince(call.firstAtMs);
    if (blame === 'load' && retry.isRetryable(error) && isBudgetLeft) {
      // Refused before anything was done: the record has lost nothing but time.
      call.attempts--;
      const backoffMs = retry.backoffMs(++call.refusals, () => random());
      this.wakeLater(call, Math.max(backoffMs, retryAfterOf(error) ?? 0));
      return;
    }
    const isOutage = blame === 'upstream' && retry.isRetryable(error);
    if (isOutage && this.gate.circuit !== undefined && this.gate.circuit.state !== 'closed') {
      call.attempts--;
      this.again.push(call);
      return;
    }
    const delayMs = retry.delayAfter({ attempts: call.attempts, elapsedMs, error, random: () => random() });
    if (delayMs !== undefined) {
      this.retryLater(call, error, delayMs);
    } else if (isOutage && retry.attempts > 1 && this.gate.circuit?.opensFor(nowMs, call.firstAtMs) === true) {
      call.attempts--;
      this.again.push(call);
    } else this.giveUp(call, error);
  }

  private retryLater(call: Call<In>, error: unknown, delayMs: number): void {
    this.counts.retries++;
    this.scope.tell({
      type: 'retry',
      lineage: call.lineage,
      attempt: call.attempts,
      delayMs,
      code: codeOf(error),
      message: describeThrown(error),
    });
    this.wakeLater(call, delayMs);
  }

  private wakeLater(call: Call<In>, delayMs: number): void {
    const cancel = this.scope.clock.schedule(delayMs, () => {
      this.delays.delete(cancel);
      if (call.isOver) return;
      this.again.push(call);
      this.pump();
    });
    this.delays.add(cancel);
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
      this.startAll();
    } finally {
      this.isPumping = false;
    }
  }

  private startAll(): void {
    const { group } = this.options;
    const { clock, turn } = this.scope;
    const nowMs = clock.monotonicMs();
    const singles: Attempt<In>[] = [];
    for (let begun = 0; this.candidates > 0 && !this.isStopped; begun++) {
      if (begun % LOOK_EVERY === LOOK_EVERY - 1 && turn.isLong()) {
        this.deferPump();
        break;
      }
      const size = group === undefined ? 1 : this.groupSize(group, nowMs);
      if (size === 0) break;
      const flight = this.gate.enter(size, nowMs);
      if (flight === undefined) break;
      const attempts = group === undefined ? singles : [];
      for (let i = 0; i < size; i++) {
        const call = this.nextCall();
        // Timed out while it waited for its turn: it has left already, its place is given back.
        if (call.isOver) this.gate.leave(flight);
        else attempts.push(this.begin(call, flight, nowMs));
      }
      if (attempts !== singles && attempts.length > 0) this.caller.start(attempts, this);
    }
    if (singles.length > 0) this.caller.start(singles, this);
  }

  private get candidates(): number {
    return this.queue.size + this.again.size;
  }

  /** How many records the next request takes; 0 while it waits for more. */
  private groupSize({ max, waitMs }: { max: number; waitMs: number }, nowMs: number): number {
    const { candidates } = this;
    this.groupSinceMs ??= nowMs;
    const isDue = candidates >= max || this.isInputOver || nowMs - this.groupSinceMs >= waitMs;
    if (isDue) {
      // What is left over begins to wait now.
      if (candidates <= max) this.groupSinceMs = undefined;
      return Math.min(max, candidates);
    }
    this.cancelGroupTimer ??= this.scope.clock.schedule(waitMs - (nowMs - this.groupSinceMs), () => {
      this.cancelGroupTimer = undefined;
      this.pump();
    });
    return 0;
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
      if (this.started++ === 0) account.touch(nowMs);
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

  /** A second try beside the first, if there is a free slot for it. */
  private hedge(slow: Attempt<In>): void {
    const { call } = slow;
    const nowMs = this.scope.clock.monotonicMs();
    if (this.isStopped || this.hedging?.spend() !== true) return;
    const flight = this.gate.enter(1, nowMs);
    if (flight === undefined) return;
    this.counts.hedges++;
    const attempt = this.launch(new Attempt(call, slow.number, true, flight, nowMs), nowMs);
    this.caller.start([attempt], this);
  }

  private timeOut(attempt: Attempt<In>, timeoutMs: number): void {
    this.counts.timeouts++;
    const { upstream, isIdempotent } = this.options;
    this.caller.cancel(attempt, 'timeout');
    this.fail(
      attempt,
      new UpstreamError(
        'MILLRACE_TIMEOUT',
        `${upstream} did not answer '${this.scope.task}' within ${describeMs(timeoutMs)}; whether the request took effect is unknown`,
        { blame: 'upstream', retryable: isIdempotent },
      ),
    );
  }

  /** The record's own timeout, over all its attempts. */
  private limitRecord(call: Call<In>): void {
    const { recordMs } = this.options.policies.timeout;
    if (!Number.isFinite(recordMs)) return;
    const look = (): void => {
      const nowMs = this.scope.clock.monotonicMs();
      const spentMs = nowMs - call.firstAtMs - (this.gate.pausedMs(nowMs) - call.pausedBeforeMs);
      // Time in which the whole task was paused is not the record's.
      if (call.cancelTimeout !== undefined) this.delays.delete(call.cancelTimeout);
      if (spentMs < recordMs) arm(Math.max(1, recordMs - spentMs));
      else this.timeOutRecord(call, recordMs);
    };
    const arm = (delayMs: number): void => {
      call.cancelTimeout = this.scope.clock.schedule(delayMs, look);
      this.delays.add(call.cancelTimeout);
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
    this.pumpSoon();
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
    if (call.cancelTimeout !== undefined) {
      call.cancelTimeout();
      this.delays.delete(call.cancelTimeout);
    }
    if (call.firstAt !== 0) {
      this.active--;
      if (this.started <= TIME_ALL_UNTIL || this.started % SAMPLE_EVERY === 0) {
        this.scope.sampleLatency(nowMs - call.firstAtMs);
      }
    }
    this.leave(call.lineage, output);
  }

  /** Gone marks do not queue: they leave as they come. */
  private passGone({ lineages, values }: Batch<In>): void {
    for (let i = 0; i < values.length; i++) if (values[i] === GONE) this.leave(lineages[i] as number, GONE);
  }

  private leave(lineage: number, output: Out | Gone): void {
    if (output !== GONE) this.waiting++;
    if (this.reorder === undefined) this.done.push(lineage, output);
    else this.reorder.release(lineage, output, this.done);
    this.pumpSoon();
  }

  /** Once all that ends in one go has ended, it leaves as one batch, and its slots are filled in one go. */
  private pumpSoon(): void {
    if (this.isFlushing) return;
    this.isFlushing = true;
    process.nextTick(this.flush);
  }

  private readonly flush = (): void => {
    this.isFlushing = false;
    if (this.isStopped) return;
    if (this.done.length > 0) {
      const batch = this.done.take();
      const count = batch.length - batch.gone;
      this.waiting -= count;
      this.scope.account.out += count;
      this.scope.account.touch(this.scope.clock.monotonicMs());
      this.subscriber.next(batch);
    }
    this.pump();
    this.completeIfDone();
  };

  private deferPump(): void {
    this.isDeferred = true;
    this.scope.turn.defer(() => {
      this.isDeferred = false;
      this.pump();
    });
  }

  private completeIfDone(): void {
    if (!this.isInputOver || this.isStopped || this.isFlushing || this.active > 0 || this.candidates > 0) return;
    if (this.done.length === 0) this.subscriber.complete();
  }
}
