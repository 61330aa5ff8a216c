/**
 * Runs an asynchronous function over records, at most `concurrency` at a time.
 *
 * `concurrency` async loops run side by side. Each loop removes the next queued record, awaits the function and emits
 * the result. This costs one continuation per record instead of a subscription, and is several times faster than a
 * merge. Records that finish in one turn of the microtask queue leave as one batch.
 *
 * Guarantees: at most `concurrency` records are started and not finished. The queue never exceeds the window. A failure
 * ends only its own record, by the policy. With `ordered`, outputs leave in input order, otherwise as they finish.
 * After unsubscribe nothing is emitted, and the signals of the records in flight abort.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { ArrivalTimes } from './arrival-times.js';
import { GONE, SKIP_BRAND, type Batch, type Gone, type Skip } from '../model/record.js';
import type { Branded } from '../model/shared-class.js';
import { Ring } from '../ledger/ring.js';
import { sampleWeight } from '../measure/sampling.js';
import { AttemptSignal, whyOver } from './attempt-signal.js';
import { operate, type Engine } from './operate.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { Awaitable } from '../model/ports.js';
import type { TaskScope } from './task-scope.js';
import { FinishedOutputs } from './finished-outputs.js';

/** The work on one record. A throw or rejection ends the record by the failure policy. */
export type AsyncStep<In, Out> = (
  record: In,
  lineage: number,
  attempt: number,
  waiting: AttemptSignal,
) => Awaitable<Out | Skip>;

export interface MapBoundedOptions {
  /** The maximum number of records started and not finished; at least 1. */
  readonly concurrency: number;
  /** Emits in input order. Default: false. */
  readonly ordered?: boolean;
}

/** One async loop. */
interface Loop {
  /** The signal of its current record. */
  waiting: AttemptSignal | undefined;
  /** Its place in the list of loops. */
  at: number;
}

/** The number of records that a loop starts between two checks for a long turn. */
const LOOK_EVERY = 16;

export function mapBounded<In, Out>(
  step: AsyncStep<In, Out>,
  options: MapBoundedOptions,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return operate((subscriber) => new BoundedMapper(step, options, scope, subscriber));
}

/** `instanceof Skip`, which the loop cannot afford. */
function isSkip(result: unknown): result is Skip {
  return typeof result === 'object' && result !== null && (result as Branded)[SKIP_BRAND] === true;
}

/** Not a closure per mapper, because a large graph has many. */
function flush(mapper: { flush(): void }): void {
  mapper.flush();
}

class BoundedMapper<In, Out> implements Engine<In> {
  private readonly step: AsyncStep<In, Out>;
  private readonly concurrency: number;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  /** Batches behind `head`; the window bounds their number. Made with the first of them. */
  private batches: Ring<Batch<In>> | undefined;
  /** The batch with records that have not started that loops read from, and the position in it. */
  private head: Batch<In> | undefined;
  private at = 0;
  private queued = 0;
  private readonly arrivals: ArrivalTimes;
  private readonly outputs: FinishedOutputs<Out>;
  /** The running loops. A loop that pauses between two records has no record. */
  private loops: Loop[] = [];
  private working = 0;
  private started = 0;
  private isFlushing = false;
  private isInputOver = false;
  private isStopped = false;

  constructor(
    step: AsyncStep<In, Out>,
    options: MapBoundedOptions,
    scope: TaskScope,
    subscriber: Subscriber<Batch<Out>>,
  ) {
    this.step = step;
    this.concurrency = options.concurrency;
    this.scope = scope;
    this.subscriber = subscriber;
    this.arrivals = new ArrivalTimes(scope.root.window);
    this.outputs = new FinishedOutputs(scope, subscriber, options.ordered === true);
    scope.account.watch(() => {
      // Records that start in this turn count as running.
      const mayStart = this.queued === 0 || scope.mayStart();
      const starting = mayStart ? Math.min(this.queued, this.concurrency - this.loops.length) : 0;
      return {
        queued: this.queued - starting,
        running: this.working + starting,
        waiting: this.outputs.waiting,
        places: Math.min(this.concurrency, scope.root.window),
      };
    });
  }

  accept(batch: Batch<In>): void {
    const count = batch.length - batch.gone;
    const { account, clock } = this.scope;
    const nowMs = clock.monotonicMs();
    account.in += count;
    this.queued += count;
    this.arrivals.arrive(count, nowMs);
    account.sampleMeter(nowMs);
    if (count > 0) this.enqueue(batch);
    this.outputs.expect(batch.lineages);
    if (batch.gone > 0) this.passGone(batch);
    if (!this.needsLoop()) return;
    while (this.needsLoop() && this.scope.mayStart()) void this.loop();
    const afterMs = clock.monotonicMs();
    account.meter.worked(nowMs, afterMs);
    account.sampleMeter(afterMs);
  }

  private enqueue(batch: Batch<In>): void {
    const { batches } = this;
    if (this.head === undefined && (batches === undefined || batches.size === 0)) this.head = batch;
    else if (batches === undefined) (this.batches = new Ring(this.scope.root.mostInFlight)).push(batch);
    else batches.push(batch);
  }

  /** Whether another loop would find a record. In a long turn, a loop pauses before its first one. */
  private needsLoop(): boolean {
    const { loops, working, queued } = this;
    // A loop that has failed the run in this turn still counts in `working`. Then the queue is empty.
    return queued > 0 && loops.length < this.concurrency && loops.length - working < queued;
  }

  endInput(): void {
    this.isInputOver = true;
    this.completeIfDone();
  }

  stop(): void {
    this.isStopped = true;
    if (this.loops.length > 0) {
      const why = whyOver(this.scope.signal);
      for (const { waiting } of this.loops) waiting?.abort(why);
    }
    this.batches?.clear();
    this.head = undefined;
    this.queued = 0;
  }

  /** Processes queued records one after the other until the queue is empty. Never rejects. */
  private async loop(): Promise<void> {
    const { scope } = this;
    let sinceLook = 0;
    const loop: Loop = { waiting: undefined, at: this.loops.length };
    // An empty array that grows by `push` has room for 17.
    if (loop.at === 0) this.loops = [loop];
    else this.loops.push(loop);
    while (this.queued > 0 && !this.isStopped && scope.mayStart()) {
      // Checked before the work, so that in a long turn the other loops do not continue where this one paused.
      if (sinceLook++ % LOOK_EVERY === 0 && scope.turn.isLong()) {
        sinceLook = 0;
        await scope.turn.pause();
        continue;
      }
      const batch = this.advance();
      const lineage = batch.lineages[this.at] as number;
      const record = batch.values[this.at++] as In;
      this.queued--;
      const number = this.started++;
      const isTimed = sampleWeight(number) > 0;
      const startedAtMs = isTimed ? scope.clock.monotonicMs() : 0;
      if (number === 0) scope.account.firstAtMs ??= startedAtMs;
      if (isTimed) scope.sampleQueueing(startedAtMs - this.arrivals.of(number));
      let output: Out | Gone;
      this.working++;
      const span = scope.beginSpan(lineage);
      try {
        loop.waiting = new AttemptSignal();
        const begun = this.step(record, lineage, 1, loop.waiting);
        // A result that is not a promise is not awaited, so a sink that returns nothing costs no turn.
        const isPending = begun instanceof Promise || isPromiseLike(begun);
        const result = isPending ? await (begun as PromiseLike<Out | Skip>) : begun;
        output = isSkip(result) ? scope.skip(result.reason) : result;
        span?.end(1);
      } catch (error) {
        if (this.hasEnded()) break;
        span?.end(1, { error });
        try {
          output = scope.giveUp({ lineage, record, error, attempts: 1 }) as Out | Gone;
        } catch (fatal) {
          this.subscriber.error(fatal);
          break;
        }
      }
      // A record that finishes after the end of the run is dropped.
      if (this.hasEnded()) break;
      loop.waiting = undefined;
      if (isTimed) scope.sampleLatency(scope.clock.monotonicMs() - startedAtMs, lineage);
      this.working--;
      this.leave(lineage, output);
    }
    this.remove(loop);
    this.completeIfDone();
  }

  private remove({ at }: Loop): void {
    const last = this.loops.pop() as Loop;
    if (last.at === at) return;
    last.at = at;
    this.loops[at] = last;
  }

  /** Moves to the next slot that holds a record. Call only while `queued` is above 0. */
  private advance(): Batch<In> {
    for (;;) {
      const head = (this.head ??= (this.batches as Ring<Batch<In>>).shift());
      while (this.at < head.length && head.values[this.at] === GONE) this.at++;
      if (this.at < head.length) return head;
      this.head = undefined;
      this.at = 0;
    }
  }

  /** `GONE` slots do not queue. They leave at once. */
  private passGone({ lineages, values }: Batch<In>): void {
    for (let i = 0; i < values.length; i++) if (values[i] === GONE) this.leave(lineages[i] as number, GONE);
  }

  private leave(lineage: number, output: Out | Gone): void {
    this.outputs.add(lineage, output);
    if (this.isFlushing || !this.outputs.isReady) return;
    this.isFlushing = true;
    // Runs after all pending continuations, so that records that finish together leave as one batch.
    process.nextTick(flush, this);
  }

  flush(): void {
    this.isFlushing = false;
    if (this.isStopped) return;
    this.outputs.emit();
    this.completeIfDone();
  }

  /**
   * A method, not the field, so that TypeScript does not narrow it across awaits: the run may end during each of them.
   */
  private hasEnded(): boolean {
    return this.isStopped;
  }

  private completeIfDone(): void {
    if (!this.isInputOver || this.loops.length > 0 || this.isFlushing || this.queued > 0 || this.isStopped) return;
    this.subscriber.complete();
  }
}
