/**
 * Measures a run often at its beginning, so that the charts of a short run have points. The next measurement follows
 * after a share of the time that has passed, until the watchdog, which measures every second, is as frequent.
 *
 * Guarantees: a run of 50 ms or more is measured at least ten times; the measurements take at most a small share of the
 * time, so a large graph, which takes long to measure, is measured less often.
 */
import type { Clock } from '../../model/clock.js';

/** The shortest delay between two measurements, in milliseconds. */
const LEAST_MS = 4;
/** The delay is this part of the time that has passed. */
const PART = 1 / 12;
/** From this delay on, the measurements of the watchdog are enough. */
const MOST_MS = 1000;
/** The next measurement waits this many times as long as the last one took. */
const REST_AFTER_LOOK = 8;

export class FirstMeasurements {
  private readonly clock: Clock;
  private readonly measure: () => void;
  private startedAtMs = 0;
  private cancel: (() => void) | undefined;

  constructor(clock: Clock, measure: () => void) {
    this.clock = clock;
    this.measure = measure;
  }

  start(): void {
    this.startedAtMs = this.clock.monotonicMs();
    this.schedule(0, 0);
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  /** The shorter one of the last two durations counts, because the longer one may contain a wait for the processor. */
  private schedule(lastTookMs: number, beforeTookMs: number): void {
    const { clock, startedAtMs } = this;
    const passedMs = clock.monotonicMs() - startedAtMs;
    const delayMs = Math.max(LEAST_MS, passedMs * PART, Math.min(lastTookMs, beforeTookMs) * REST_AFTER_LOOK);
    this.cancel = undefined;
    if (delayMs >= MOST_MS) return;
    this.cancel = clock.schedule(delayMs, () => {
      const fromMs = clock.monotonicMs();
      this.measure();
      // An observer of the measurement may have ended the run.
      if (this.cancel !== undefined) this.schedule(clock.monotonicMs() - fromMs, lastTookMs);
    });
  }
}
