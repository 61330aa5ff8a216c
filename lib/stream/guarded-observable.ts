/**
 * Observables that know their whole pipe: operators that are piped onto them return an Observable of the same kind, and
 * the links of a chain are distinguished from its end.
 *
 * Guarantees of a `GuardedObservable`: its subscribers cannot break the emitter. Errors that their handlers throw or do
 * not handle go to `report`, and never become uncaught exceptions of the process, also behind operators.
 */
import { Observable, Subscriber, type Observer, type Subscription, type TeardownLogic } from 'rxjs';

/** A subscriber that an operator has made. It is not the subscriber at the end of the chain. */
export type Link<T> = Observer<T> & Pick<Subscription, 'add'>;

export abstract class PipeObservable<T> extends Observable<T> {
  /**
   * RxJS 7 creates the result of each operator with `lift`. RxJS marks the method as internal. If it disappears, pipes
   * become plain Observables, and a spec fails.
   */
  override lift<R>(operator?: unknown): Observable<R> {
    return Object.assign(this.alike<R>(), { source: this, operator });
  }

  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null): Subscription;
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription;
  override subscribe(
    given?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (isLink<T>(given)) return this.subscribeLink(given);
    return this.subscribeEnd(
      typeof given === 'object' && given !== null
        ? given
        : { ...(given ? { next: given } : {}), ...(error ? { error } : {}), ...(complete ? { complete } : {}) },
    );
  }

  /** Makes an Observable of the same kind, for the result of an operator. */
  protected abstract alike<R>(): PipeObservable<R>;

  /** Subscribes the next operator of the pipe. */
  protected subscribeLink(link: Link<T>): Subscription {
    return this.subscribePlainly(link);
  }

  /** Subscribes the observer at the end of the pipe. */
  protected abstract subscribeEnd(observer: Partial<Observer<T>>): Subscription;

  /** Subscribes as any Observable does. */
  protected subscribePlainly(observer: Partial<Observer<T>>): Subscription {
    return super.subscribe(observer);
  }
}

export class GuardedObservable<T> extends PipeObservable<T> {
  private readonly report: (error: unknown) => void;

  constructor(report: (error: unknown) => void, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.report = report;
  }

  protected alike<R>(): GuardedObservable<R> {
    return new GuardedObservable<R>(this.report);
  }

  protected subscribeEnd(observer: Partial<Observer<T>>): Subscription {
    return this.subscribePlainly(new GuardedSubscriber(observer, this.report));
  }
}

/**
 * The end of a chain. It calls the handlers of the observer directly, so that no record passes a second layer of
 * guards.
 */
class GuardedSubscriber<T> extends Subscriber<T> {
  private readonly observer: Partial<Observer<T>>;
  private readonly report: (error: unknown) => void;
  private isOver = false;

  constructor(observer: Partial<Observer<T>>, report: (error: unknown) => void) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- RxJS wraps any other observer, which costs time
    super();
    this.observer = observer;
    this.report = report;
  }

  override next(value: T): void {
    // A subscriber that unsubscribes in the middle of a batch receives no further records of the batch.
    if (this.isOver || this.closed) return;
    try {
      this.observer.next?.(value);
    } catch (error) {
      this.report(error);
    }
  }

  override error(failure: unknown): void {
    if (this.isOver) return;
    this.isOver = true;
    try {
      if (this.observer.error === undefined) this.report(failure);
      else this.observer.error(failure);
    } catch (error) {
      this.report(error);
    } finally {
      this.unsubscribe();
    }
  }

  override complete(): void {
    if (this.isOver) return;
    this.isOver = true;
    try {
      this.observer.complete?.();
    } catch (error) {
      this.report(error);
    } finally {
      this.unsubscribe();
    }
  }
}

function isLink<T>(given: unknown): given is Link<T> {
  return typeof given === 'object' && given !== null && 'isStopped' in given && 'add' in given;
}
