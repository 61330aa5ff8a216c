/**
 * Runs an asynchronous function over records, at most `concurrency` at a time.
 *
 * Up to `concurrency` slots work side by side. Each slot removes the next queued record, calls the function and emits
 * the result. A slot makes its callbacks once, so a record costs one `then`: an `await` would make two functions per
 * record. Records that finish in one turn of the microtask queue leave as one batch.
 *
 * Guarantees: at most `concurrency` records are started and not finished. The queue never exceeds the window. A failure
 * ends only its own record, by the policy. With `ordered`, outputs leave in input order, otherwise as they finish.
 * After unsubscribe nothing is emitted, and the signals of the records in flight abort.
 */
import type { OperatorFunction, Subscriber } from 'rxjs';
import { ArrivalTimes } from './arrival-times.js';
import { GONE, isGone, SKIP_BRAND, type Batch, type Gone, type Lineage, type Skip } from '../model/record.js';
import type { Branded } from '../model/shared-class.js';
import { Ring } from '../ledger/ring.js';
import { sampleWeight } from '../measure/sampling.js';
import { AttemptSignal, whyOver } from './attempt-signal.js';
import { operate, type Engine } from './operate.js';
import { isPromiseLike } from '../model/awaitable.js';
import type { Awaitable, RecordContext, RecordSpan } from '../model/ports.js';
import type { TaskScope } from './task-scope.js';
import { FinishedOutputs } from './finished-outputs.js';

/** An attempt whose result may no longer be wanted. */
export interface Abortable {
  /** Aborts the signal of the attempt. */
  abort(reason: unknown): void;
}

/** Makes the signal of an attempt. A parameter, because a task is defined without the modules of the engine. */
export type MakeSignal = () => AttemptSignal;

/** The `MakeSignal` of every operator. */
export const makeSignal: MakeSignal = () => new AttemptSignal();

/** The work on one record. A throw or rejection ends the record by the failure policy. */
export interface AsyncStep<In, Out> {
  /** The context of an attempt. Its signal is made when it is read, because most functions never read it. */
  readonly begin: (lineage: Lineage, attempt: number, signal: MakeSignal) => RecordContext & Abortable;
  readonly run: (record: In, context: RecordContext) => Awaitable<Out | Skip>;
}

export interface MapBoundedOptions {
  /** The maximum number of records started and not finished; at least 1. */
  readonly concurrency: number;
  /** Emits in input order. Default: false. */
  readonly ordered?: boolean;
}

/** What a slot calls when its record or its pause is over. */
interface SlotOwner {
  settle(slot: Slot, result: unknown): void;
  refuse(slot: Slot, error: unknown): void;
  goOn(slot: Slot): void;
  /** Ends the operator: one of the others has thrown. */
  crash(error: unknown): void;
}

/** Works on one record after the other. */
class Slot {
  /** The attempt on its record; undefined while it has none. */
  attempt: Abortable | undefined;
  record: unknown = undefined;
  lineage: Lineage = 0;
  /** When the record was started; below 0 if it is not timed. */
  startedAtMs = UNTIMED;
  span: RecordSpan | undefined;
  /** The records since the last check for a long turn. */
  sinceLook = 0;
  readonly onResult: (result: unknown) => void;
  readonly onError: (error: unknown) => void;
  readonly resume: () => void;

  constructor(owner: SlotOwner) {
    this.onResult = (result) => {
      try {
        owner.settle(this, result);
      } catch (error) {
        owner.crash(error);
      }
    };
    this.onError = (reason) => {
      try {
        owner.refuse(this, reason);
      } catch (error) {
        owner.crash(error);
      }
    };
    this.resume = () => {
      try {
        owner.goOn(this);
      } catch (error) {
        owner.crash(error);
      }
    };
  }
}

/** The number of records that a slot starts between two checks for a long turn. */
const LOOK_EVERY = 16;

/** The start of a record that is not timed. */
const UNTIMED = -1;

export function mapBounded<In, Out>(
  step: AsyncStep<In, Out>,
  options: MapBoundedOptions,
  scope: TaskScope,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return operate((subscriber) => new BoundedMapper(step, options, scope, subscriber));
}

/** Those of the language: a promise with a `then` of its own might call a slot twice. */
const NativePromise = Promise;
// eslint-disable-next-line @typescript-eslint/unbound-method -- always used with `call`
const { then } = NativePromise.prototype;

/** `instanceof Skip`, which a slot cannot afford. */
function isSkip(result: unknown): result is Skip {
  return typeof result === 'object' && result !== null && (result as Branded)[SKIP_BRAND] === true;
}

/** Not a closure per mapper, because a large graph has many. */
function flush(mapper: { flush(): void }): void {
  mapper.flush();
}

class BoundedMapper<In, Out> implements Engine<In>, SlotOwner {
  private readonly step: AsyncStep<In, Out>;
  private readonly concurrency: number;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Out>>;
  /** Batches behind `head`; the window bounds their number. Made with the first of them. */
  private batches: Ring<Batch<In>> | undefined;
  /** The batch with records that have not started that slots read from, and the position in it. */
  private head: Batch<In> | undefined;
  private at = 0;
  private queued = 0;
  private readonly arrivals: ArrivalTimes;
  private readonly outputs: FinishedOutputs<Out>;
  /** All slots so far, and those of them that have nothing to do. A slot that pauses between two records has no record. */
  private slots: Slot[] = [];
  private idle: Slot[] = [];
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
      const starting = mayStart ? Math.min(this.queued, this.concurrency - this.busy) : 0;
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
    if (!this.needsSlot()) return;
    while (this.needsSlot() && this.scope.mayStart()) this.goOn(this.takeSlot());
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

  /** The number of slots that work or pause. */
  private get busy(): number {
    return this.slots.length - this.idle.length;
  }

  /** Whether another slot would find a record. In a long turn, a slot pauses before its first one. */
  private needsSlot(): boolean {
    const { busy, working, queued } = this;
    return queued > 0 && busy < this.concurrency && busy - working < queued;
  }

  private takeSlot(): Slot {
    const slot = this.idle.pop() ?? this.addSlot();
    slot.sinceLook = 0;
    return slot;
  }

  private addSlot(): Slot {
    const slot = new Slot(this);
    // An empty array that grows by `push` has room for 17.
    if (this.slots.length === 0) this.slots = [slot];
    else this.slots.push(slot);
    return slot;
  }

  endInput(): void {
    this.isInputOver = true;
    this.completeIfDone();
  }

  stop(): void {
    this.isStopped = true;
    if (this.working > 0) {
      const why = whyOver(this.scope.signal);
      for (const { attempt } of this.slots) attempt?.abort(why);
    }
    this.batches?.clear();
    this.head = undefined;
    this.queued = 0;
  }

  /** Works on queued records one after the other, until one is pending or the queue is empty. */
  goOn(slot: Slot): void {
    const { scope, step } = this;
    while (this.queued > 0 && !this.isStopped && scope.mayStart()) {
      // Checked before the work, so that in a long turn the other slots do not continue where this one paused.
      if (slot.sinceLook++ % LOOK_EVERY === 0 && scope.turn.isLong()) {
        slot.sinceLook = 0;
        scope.turn.defer(slot.resume);
        return;
      }
      const record = this.begin(slot);
      let result: Awaitable<Out | Skip>;
      try {
        const attempt = step.begin(slot.lineage, 1, makeSignal);
        slot.attempt = attempt;
        result = step.run(record, attempt);
        // A result that is not a promise is not waited for, so a sink that returns nothing costs no turn.
        if (result instanceof Promise || isPromiseLike(result)) {
          void then.call(NativePromise.resolve(result), slot.onResult, slot.onError);
          return;
        }
      } catch (error) {
        this.fail(slot, error);
        continue;
      }
      this.finish(slot, result);
    }
    if (this.idle.length === 0) this.idle = [slot];
    else this.idle.push(slot);
    this.completeIfDone();
  }

  settle(slot: Slot, result: unknown): void {
    this.finish(slot, result as Out | Skip);
    this.goOn(slot);
  }

  refuse(slot: Slot, error: unknown): void {
    this.fail(slot, error);
    this.goOn(slot);
  }

  crash(error: unknown): void {
    this.subscriber.error(error);
  }

  /** Gives the next queued record to the slot. Call only while `queued` is above 0. */
  private begin(slot: Slot): In {
    const batch = this.advance();
    slot.lineage = batch.lineages[this.at] as Lineage;
    const record = (slot.record = batch.values[this.at++]) as In;
    this.queued--;
    this.working++;
    const number = this.started++;
    slot.startedAtMs = sampleWeight(number) === 0 ? UNTIMED : this.startTime(number);
    slot.span = this.scope.beginSpan(slot.lineage);
    return record;
  }

  private startTime(number: number): number {
    const { scope } = this;
    const nowMs = scope.clock.monotonicMs();
    if (number === 0) scope.account.firstAtMs ??= nowMs;
    scope.sampleQueueing(nowMs - this.arrivals.of(number));
    return nowMs;
  }

  private finish(slot: Slot, result: Out | Skip): void {
    let output: Out | Gone;
    try {
      slot.span?.end(1);
      output = isSkip(result) ? this.scope.skip(result.reason) : result;
    } catch (error) {
      // A result that cannot be read.
      this.fail(slot, error);
      return;
    }
    this.end(slot, output);
  }

  private fail(slot: Slot, error: unknown): void {
    const { lineage, record } = slot;
    let left: Out | Gone = GONE;
    if (!this.isStopped) {
      slot.span?.end(1, { error });
      try {
        left = this.scope.giveUp({ lineage, record, error, attempts: 1 }) as Out | Gone;
      } catch (fatal) {
        this.subscriber.error(fatal);
      }
    }
    this.end(slot, left);
  }

  /** The record of the slot leaves. After the end of the run it is dropped. */
  private end(slot: Slot, output: Out | Gone): void {
    const { lineage, startedAtMs } = slot;
    slot.attempt = undefined;
    slot.record = undefined;
    slot.span = undefined;
    if (this.isStopped) return;
    this.working--;
    if (startedAtMs !== UNTIMED) this.sampleLatency(startedAtMs, lineage);
    this.leave(lineage, output);
  }

  private sampleLatency(startedAtMs: number, lineage: Lineage): void {
    this.scope.sampleLatency(this.scope.clock.monotonicMs() - startedAtMs, lineage);
  }

  /** Moves to the next slot that holds a record. Call only while `queued` is above 0. */
  private advance(): Batch<In> {
    for (;;) {
      const head = (this.head ??= (this.batches as Ring<Batch<In>>).shift());
      while (this.at < head.length && isGone(head.values[this.at])) this.at++;
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

  private completeIfDone(): void {
    if (!this.isInputOver || this.busy > 0 || this.isFlushing || this.queued > 0 || this.isStopped) return;
    this.subscriber.complete();
  }
}
