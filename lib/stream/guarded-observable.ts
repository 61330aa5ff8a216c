/**
 * An Observable whose subscribers cannot break whoever emits: what their handlers throw, and errors they do not handle,
 * go to `report` instead of becoming an uncaught exception of the process. Operators piped onto it are guarded as well.
 */
import { Observable, Subscriber, type Observer, type Subscription, type TeardownLogic } from 'rxjs';

export class GuardedObservable<T> extends Observable<T> {
  private readonly report: (error: unknown) => void;

  constructor(report: (error: unknown) => void, subscribe?: (subscriber: Subscriber<T>) => TeardownLogic) {
    super(subscribe);
    this.report = report;
  }

  /**
   * RxJS 7 makes what an operator returns through `lift`, so the guard reaches the end of every pipe. The method is
   * marked as internal there; should it go, pipes are plain Observables again, and a spec says so.
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
    // A Subscriber is a link of a chain, not its end: the end has a guard of its own.
    if (isLink(given)) return super.subscribe(given);
    const observer: Partial<Observer<T>> =
      typeof given === 'object' && given !== null
        ? given
        : { ...(given ? { next: given } : {}), ...(error ? { error } : {}), ...(complete ? { complete } : {}) };
    return super.subscribe(new GuardedSubscriber(observer, this.report));
  }
}

/** The end of a chain: calls the observer's handlers itself, so that no record passes another layer of guards. */
class GuardedSubscriber<T> extends Subscriber<T> {
  private readonly observer: Partial<Observer<T>>;
  private readonly report: (error: unknown) => void;
  private isOver = false;

  constructor(observer: Partial<Observer<T>>, report: (error: unknown) => void) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- RxJS wraps any other observer once more, a record at a time
    super();
    this.observer = observer;
    this.report = report;
  }

  override next(value: T): void {
    // Whoever unsubscribes in the middle of a batch gets no more of it.
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
