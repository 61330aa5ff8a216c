/** A clock that stands until it is told to go on. Promise: timers fire in order, each after all that the one before set off. */
import type { Clock } from '#lib/index.js';

interface Timer {
  readonly atMs: number;
  readonly action: () => void;
}

export class StepClock implements Clock {
  private atMs = 0;
  private readonly timers = new Set<Timer>();

  now(): number {
    return 1_700_000_000_000 + this.atMs;
  }

  monotonicMs(): number {
    return this.atMs;
  }

  schedule(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.atMs + delayMs, action };
    this.timers.add(timer);
    return () => {
      this.timers.delete(timer);
    };
  }

  defer(action: () => void): void {
    setImmediate(action);
  }

  /** Goes on by so much, firing what is due on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.atMs + ms;
    for (;;) {
      await settle();
      const next = [...this.timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.timers.delete(next);
      this.atMs = next.atMs;
      next.action();
    }
    this.atMs = untilMs;
    await settle();
  }

  get pending(): number {
    return this.timers.size;
  }
}

/** Lets promises and turns of the event loop that are due run out. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
}
