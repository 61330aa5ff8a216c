/**
 * The input of one RxJS operator of a user: an Observable that the operator may subscribe to at any time, more than
 * once, and again after it has unsubscribed.
 *
 * Guarantees: a record goes to all observers that are subscribed when `next` is called. The caller passes no record
 * while there is no subscription, so no record is lost. A subscriber that comes after the end is completed.
 */
import type { Observable, Subscriber } from 'rxjs';
import {
  emitTo,
  MeteredObservable,
  meteredOf,
  type OperatorMeter,
  type MeteredSubscriber,
} from '../stream/operator-meter.js';

interface Joined<T> {
  readonly subscriber: Subscriber<T>;
  readonly metered: MeteredSubscriber<never> | undefined;
}

export class OperatorInput<T> {
  readonly records$: Observable<T>;
  private joined: readonly Joined<T>[] = [];
  private isOver = false;
  private readonly onJoined: () => void;

  /** @param onJoined called after a subscriber has joined. */
  constructor(meter: OperatorMeter, onJoined: () => void) {
    this.onJoined = onJoined;
    this.records$ = new MeteredObservable<T>(meter, (subscriber) => this.join(subscriber));
  }

  /** Whether the operator is subscribed. */
  get isWanted(): boolean {
    return this.joined.length > 0;
  }

  next(record: T): void {
    // The list is replaced and never changed, so a subscriber that joins during this record gets the next one first.
    for (const { subscriber, metered } of this.joined) emitTo(subscriber, metered, record);
  }

  complete(): void {
    this.isOver = true;
    for (const { subscriber } of this.joined) subscriber.complete();
  }

  private join(subscriber: Subscriber<T>): (() => void) | undefined {
    if (this.isOver) {
      subscriber.complete();
      return undefined;
    }
    const joined: Joined<T> = { subscriber, metered: meteredOf(subscriber) };
    this.joined = [...this.joined, joined];
    this.onJoined();
    return () => {
      this.joined = this.joined.filter((one) => one !== joined);
    };
  }
}
