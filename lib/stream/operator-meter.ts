/**
 * Measures how many records the RxJS operators of a user hold: records that wait in an operator such as `concatMap` or
 * `mergeMap(fn, 10)` for the end of an inner subscription, and the open inner subscriptions themselves.
 *
 * RxJS does not report these numbers. But the operators of one pipe are applied by `lift`, and each operator adds its
 * inner subscriptions to the subscriber behind it. So a metered subscriber, which counts, is placed behind each
 * operator. A record waits in an operator if the operator opened no inner subscription for it and emitted nothing while
 * others were open. An operator that limits its subscriptions opens the next one when one ends. An operator that does
 * not, or that emits first, drops records (`throttleTime`), and holds none.
 *
 * Guarantees: nothing that an operator emits, and no order, is changed. An operator whose inner subscriptions cannot be
 * seen, such as one made with `new Observable`, counts as holding nothing.
 */
import { Observable, Subscription, type Observer, type Subscriber, type TeardownLogic } from 'rxjs';
import { PipeObservable, type Link } from './guarded-observable.js';

/** The subscribers of all operators of one task. */
export class OperatorMeter {
  private readonly subscribers = new Set<MeteredSubscriber<never>>();
  private readonly onRoom: () => void;
  private isOff = false;

  /** @param onRoom called when an operator holds fewer records than before. */
  constructor(onRoom: () => void) {
    this.onRoom = onRoom;
  }

  /** The number of records and inner subscriptions that the operators hold. */
  get buffered(): number {
    let buffered = 0;
    if (!this.isOff) for (const metered of this.subscribers) buffered += metered.buffered;
    return buffered;
  }

  /** Stops counting. */
  ignore(): void {
    this.isOff = true;
  }

  add(metered: MeteredSubscriber<never>): void {
    this.subscribers.add(metered);
    metered.add(() => this.subscribers.delete(metered));
  }

  readonly released = (): void => {
    if (!this.isOff) this.onRoom();
  };
}

/** An Observable whose operators are metered, up to the end of each pipe. */
export class MeteredObservable<T> extends PipeObservable<T> {
  private readonly meter: OperatorMeter;

  constructor(meter: OperatorMeter, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.meter = meter;
  }

  protected alike<R>(): MeteredObservable<R> {
    return new MeteredObservable<R>(this.meter);
  }

  protected override subscribeLink(link: Link<T>): Subscription {
    const isOperated = (this as { readonly operator?: unknown }).operator !== undefined;
    return this.subscribePlainly(isOperated ? new MeteredSubscriber<T>(link, this.meter) : link);
  }

  protected subscribeEnd(observer: Partial<Observer<T>>): Subscription {
    // The subscriber of this Observable is a link, so the last operator of the pipe gets a metered subscriber too.
    return new Observable<T>((link) => this.subscribe(link)).subscribe(observer);
  }
}

/** Emits a value to one link, and measures what the operator at the link does with it. */
export function emitTo<T>(link: Observer<T>, metered: MeteredSubscriber<never> | undefined, value: T): void {
  if (metered === undefined) link.next(value);
  else metered.measure(link, value);
}

/** The metered subscriber of the operator that subscribed with this link. */
export function meteredOf(link: object): MeteredSubscriber<never> | undefined {
  const { destination } = link as { readonly destination?: unknown };
  return destination instanceof MeteredSubscriber ? (destination as MeteredSubscriber<never>) : undefined;
}

/** The subscriber behind one operator. */
export class MeteredSubscriber<T> extends Subscription implements Observer<T> {
  private readonly link: Observer<T>;
  private readonly behind: MeteredSubscriber<never> | undefined;
  private readonly meter: OperatorMeter;
  private isStopped = false;
  private isMeasuring = false;
  /** Inner subscriptions that records have opened. */
  private readonly inner = new Set<unknown>();
  private opened = 0;
  private emitted = 0;
  private waiting = 0;
  /** Whether an inner subscription has just ended, and none was opened since. */
  private hasJustEnded = false;
  private drops = false;

  constructor(link: Link<T>, meter: OperatorMeter) {
    super();
    this.link = link;
    this.behind = meteredOf(link);
    this.meter = meter;
    link.add(this);
    meter.add(this);
  }

  get buffered(): number {
    return this.inner.size + this.waiting;
  }

  /** Emits the value to the operator in front of this subscriber. */
  measure<In>(operator: Observer<In>, value: In): void {
    this.judge();
    const { opened, emitted, isMeasuring } = this;
    this.isMeasuring = true;
    operator.next(value);
    this.isMeasuring = isMeasuring;
    if (opened !== this.opened || emitted !== this.emitted) this.waiting = 0;
    else if (this.inner.size > 0 && !this.drops) this.waiting++;
  }

  next(value: T): void {
    if (this.isStopped) return;
    this.emitted++;
    this.judge();
    emitTo(this.link, this.behind, value);
  }

  error(error: unknown): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.link.error(error);
    this.unsubscribe();
  }

  complete(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.link.complete();
    this.unsubscribe();
  }

  override unsubscribe(): void {
    this.isStopped = true;
    super.unsubscribe();
  }

  override add(teardown: TeardownLogic): void {
    super.add(teardown);
    const isInner = teardown instanceof Subscription && !teardown.closed;
    if (!isInner || !(this.isMeasuring || this.hasJustEnded)) return;
    this.opened++;
    this.inner.add(teardown);
    if (this.hasJustEnded && !this.isMeasuring) this.waiting = Math.max(0, this.waiting - 1);
    this.hasJustEnded = false;
  }

  override remove(teardown: Exclude<TeardownLogic, void>): void {
    super.remove(teardown);
    if (!this.inner.delete(teardown) || this.isMeasuring) return;
    this.judge();
    this.hasJustEnded = true;
    // The operator opens the next inner subscription, if one waits, before it returns.
    queueMicrotask(() => {
      this.judge();
      this.meter.released();
    });
  }

  /** An operator that opened no inner subscription after one has ended holds no waiting records. */
  private judge(): void {
    if (!this.hasJustEnded) return;
    this.hasJustEnded = false;
    if (this.waiting === 0) return;
    this.waiting = 0;
    this.drops = true;
  }
}
