/** Things to be done later, all of which can be called off at once. Promise: after `stop` nothing is done and no timer left. */
import type { Clock } from '../model/ports.js';

export class Delays {
  private readonly clock: Clock;
  private readonly pending = new Set<() => void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Calls `action` after so long; the returned function calls it off. */
  after(delayMs: number, action: () => void): () => void {
    const cancelTimer = this.clock.schedule(delayMs, () => {
      this.pending.delete(cancel);
      action();
    });
    const cancel = (): void => {
      this.pending.delete(cancel);
      cancelTimer();
    };
    this.pending.add(cancel);
    return cancel;
  }

  stop(): void {
    for (const cancel of this.pending) cancel();
  }
}
