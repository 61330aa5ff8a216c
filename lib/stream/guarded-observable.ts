/**
 * An Observable whose subscribers cannot break the emitter: errors that their handlers throw or do not handle go to
 * `report`, and never become uncaught exceptions of the process. Operators piped onto it are guarded too.
 */
import { Observable, Subscriber, type Observer, type Subscription, type TeardownLogic } from 'rxjs';

export class GuardedObservable<T> extends Observable<T> {
  private readonly report: (error: unknown) => void;

  constructor(report: (error: unknown) => void, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.report = report;
  }

  /**
   * RxJS 7 creates the result of each operator with `lift`, so the guard reaches the end of each pipe. RxJS marks the
   * method as internal. If it disappears, pipes become plain Observables, and a spec fails.
   */
  override lift<R>(operator?: unknown): Observable<R> {
    const lifted = new GuardedObservable<R>(this.report);
    Object.assign(lifted, { source: this, operator });
    return lifted;
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
    // A Subscriber is a link of a chain. The end of the chain has a guard of its own.
    if (isLink(given)) return super.subscribe(given);
    const observer: Partial<Observer<T>> =
      typeof given === 'object' && given !== null
        ? given
        : { ...(given ? { next: given } : {}), ...(error ? { error } : {}), ...(complete ? { complete } : {}) };
    return super.subscribe(new GuardedSubscriber(observer, this.report));
  }
}

/**
 * The end of a chain. It calls the handlers of the observer directly, so that no record passes a second layer of guards.
 */
class GuardedSubscriber<T> extends Subscriber<T> {
  private readonly observer: Partial<Observer<T>>;
  private readonly report: (error: unknown) => void;
  private isOver = false;

  constructor(observer: Partial<Observer<T>>, report: (error: unknown) => void) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- RxJS wraps any other observer once more, which costs time per record
    super();
    this.observer = observer;
    this.report = report;
  }

  override next(value: T): void {
    // A subscriber that unsubscribes in the middle of a batch receives no more of it.
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

function isLink(given: unknown): given is Subscriber<unknown> {
  return typeof given === 'object' && given !== null && 'isStopped' in given && 'add' in given;
}
