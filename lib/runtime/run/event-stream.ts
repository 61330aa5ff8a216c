/**
 * The events of a run. Promises: `run-started`, which says what run it is, comes first, whoever had something to tell
 * before; late subscribers get it and the last 999 events; nothing else is kept, however slow anybody is, because
 * subscribers are called and not queued for.
 */
import { Observable, ReplaySubject } from 'rxjs';
import type { RunEvent } from '../../model/events.js';

const REPLAYED_EVENTS = 999;

export class EventStream extends Observable<RunEvent> {
  private readonly recent = new ReplaySubject<RunEvent>(REPLAYED_EVENTS);
  private first: RunEvent | undefined;
  private count = 0;
  /** Told before the run has started; undefined from then on. */
  private early: RunEvent[] | undefined = [];

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
    if (this.early !== undefined && event.type !== 'run-started' && event.type !== 'run-ended') {
      this.early.push(event);
      return;
    }
    const early = this.early ?? [];
    this.early = undefined;
    // A run that is cancelled before it starts only ends.
    const events = event.type === 'run-started' ? [event, ...early] : [...early, event];
    for (const one of events) {
      this.first ??= one;
      this.count++;
      this.recent.next(one);
    }
  }

  complete(): void {
    this.recent.complete();
  }
}
