/**
 * The events of a run.
 *
 * Guarantees: `run-started` is always first; events emitted earlier are held until then. Late subscribers get
 * `run-started` and the last 999 events. No other event is kept, however slow a subscriber is: subscribers are called,
 * and nothing is queued for them. Secrets are masked.
 */
import { Observable, ReplaySubject } from 'rxjs';
import type { RunEvent } from '../../model/events.js';

const REPLAYED_EVENTS = 999;

export class EventStream extends Observable<RunEvent> {
  private readonly recent = new ReplaySubject<RunEvent>(REPLAYED_EVENTS);
  private first: RunEvent | undefined;
  private count = 0;
  /** Events emitted before the run has started; undefined from then on. */
  private early: RunEvent[] | undefined = [];
  /** Returns the event as subscribers may see it. The engine sets it before the first event leaves. */
  mask: (event: RunEvent) => RunEvent = (event) => event;

  constructor() {
    super((subscriber) => {
      if (this.first !== undefined && this.count > REPLAYED_EVENTS) subscriber.next(this.first);
      return this.recent.subscribe(subscriber);
    });
  }

  /** True while there is a subscriber. */
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
    // A run that is cancelled before it starts emits only its end.
    const events = event.type === 'run-started' ? [event, ...early] : [...early, event];
    for (const one of events.map((event) => this.mask(event))) {
      this.first ??= one;
      this.count++;
      this.recent.next(one);
    }
  }

  complete(): void {
    this.recent.complete();
  }
}
