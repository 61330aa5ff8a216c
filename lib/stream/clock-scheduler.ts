/**
 * The run's clock as an RxJS scheduler, so that `bufferTime`, `debounceTime` and similar operators follow the time of
 * the run: real in production, virtual in tests.
 */
import { Subscription, type SchedulerAction, type SchedulerLike } from 'rxjs';
import type { Clock } from '../model/ports.js';

/** @param onUse called each time an operator asks for the time or schedules work. */
export function clockScheduler(clock: Clock, onUse: () => void = () => undefined): SchedulerLike {
  return {
    now: () => {
      onUse();
      return clock.now();
    },
    schedule: <T>(work: (this: SchedulerAction<T>, state?: T) => void, delay = 0, state?: T): Subscription => {
      onUse();
      return new ClockAction(clock, work).schedule(state, delay);
    },
  };
}

class ClockAction<T> extends Subscription implements SchedulerAction<T> {
  private readonly clock: Clock;
  private readonly work: (this: SchedulerAction<T>, state?: T) => void;
  private cancel: (() => void) | undefined;
  private round = 0;

  constructor(clock: Clock, work: (this: SchedulerAction<T>, state?: T) => void) {
    super(() => {
      this.cancel?.();
    });
    this.clock = clock;
    this.work = work;
  }

  schedule(state?: T, delay = 0): Subscription {
    if (this.closed) return this;
    this.cancel?.();
    const round = ++this.round;
    this.cancel = this.clock.schedule(delay, () => {
      this.work(state);
      // Work that has not scheduled itself again is over.
      if (this.round === round) this.unsubscribe();
    });
    return this;
  }
}
