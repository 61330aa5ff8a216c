/**
 * The events of a run. Promises: late subscribers get `run-started`, which says what run it is, and the last 999 events;
 * nothing is kept after that, however slow anybody is, because subscribers are called and not queued for.
 */
import { Observable, ReplaySubject } from 'rxjs';
import type { RunEvent } from '../core/events.js';

const REPLAYED_EVENTS = 999;

export class EventStream extends Observable<RunEvent> {
  private readonly recent = new ReplaySubject<RunEvent>(REPLAYED_EVENTS);
  private first: RunEvent | undefined;
  private count = 0;

  constructor() {
    super((subscriber) => {
      if (this.first !== undefined && this.count > REPLAYED_EVENTS) subscriber.next(this.first);
      return this.recent.subscribe(subscriber);
    });
  }

  /** Whether somebody listens. */
  get isObserved(): boolean {
    return this.recent.observed;
  }

  emit(event: RunEvent): void {
    this.count++;
    if (event.type === 'run-started') this.first = event;
    this.recent.next(event);
  }

  complete(): void {
    this.recent.complete();
  }
}
