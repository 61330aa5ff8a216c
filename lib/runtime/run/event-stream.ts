/**
 * The events of a run.
 *
 * Guarantees: `run-started` is always first; events emitted earlier are buffered until then. Late subscribers get
 * `run-started` and the last 999 events. No other event is kept for a slow subscriber: subscribers are called, and
 * nothing is queued for them. Secrets are masked.
 */
import { Observable, Subject } from 'rxjs';
import type { RunEvent } from '../../model/events.js';

const REPLAYED_EVENTS = 999;

export class EventStream extends Observable<RunEvent> {
  private readonly live = new Subject<RunEvent>();
  /**
   * The last events; the oldest is at `count` modulo the length once it is full. A ReplaySubject would move all of
   * them.
   */
  private readonly recent: RunEvent[] = [];
  private first: RunEvent | undefined;
  private count = 0;
  private isOver = false;
  /** Events emitted before the run has started; undefined from then on. */
  private early: RunEvent[] | undefined = [];
  /** Returns the event as subscribers may see it. The engine sets it before the first event leaves. */
  mask: (event: RunEvent) => RunEvent = (event) => event;

  constructor() {
    super((subscriber) => {
      if (this.first !== undefined && this.count > REPLAYED_EVENTS) subscriber.next(this.first);
      const { recent, count } = this;
      const oldest = count > REPLAYED_EVENTS ? count % REPLAYED_EVENTS : 0;
      const replayed = [...recent.slice(oldest), ...recent.slice(0, oldest)];
      // A subject that is over would complete the subscriber before the replay.
      const subscription = this.isOver ? undefined : this.live.subscribe(subscriber);
      // Subscribed first and replayed from a copy, as a ReplaySubject does: a replayed event may cause another one.
      for (const event of replayed) {
        if (subscriber.closed) break;
        subscriber.next(event);
      }
      if (this.isOver) subscriber.complete();
      return subscription;
    });
  }

  /** True while there is a subscriber. */
  get isObserved(): boolean {
    return this.live.observed;
  }

  emit(event: RunEvent): void {
    if (this.early !== undefined && event.type !== 'run-started' && event.type !== 'run-ended') {
      this.early.push(event);
      return;
    }
    const early = this.early ?? [];
    this.early = undefined;
    // A run that is cancelled before it starts emits only its end.
    const events = event.type === 'run-started' ? [event, ...early] : [...early, event];
    for (const one of events.map((event) => this.mask(event))) {
      this.first ??= one;
      this.recent[this.count++ % REPLAYED_EVENTS] = one;
      this.live.next(one);
    }
  }

  complete(): void {
    this.isOver = true;
    this.live.complete();
  }
}
