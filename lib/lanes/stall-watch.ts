/**
 * Finds a lane that hangs: it holds records, and none of its counts has changed for `stallMs`.
 *
 * Guarantees: a lane that waits for input does not hang. After `stop` no timer is left. Code that never returns to the
 * event loop cannot be found from within its process: the broker expels such a worker.
 */
import type { TaskCounts } from '../model/metrics.js';

export interface StallWatchParts {
  readonly counts: () => Readonly<Record<string, TaskCounts>>;
  /** The milliseconds after which a lane counts as hanging. */
  readonly stallMs: number;
  /** Called once, with the tasks that hold records. */
  readonly onStall: (tasks: readonly string[]) => void;
}

/** The number of looks at the counts within `stallMs`. */
const LOOKS = 4;

export class StallWatch {
  private readonly parts: StallWatchParts;
  private readonly timer: NodeJS.Timeout;
  private state = '';
  private stillLooks = 0;

  constructor(parts: StallWatchParts) {
    this.parts = parts;
    this.timer = setInterval(() => {
      this.look();
    }, parts.stallMs / LOOKS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const counts = Object.entries(this.parts.counts());
    const holding = counts.flatMap(([task, { inFlight }]) => (inFlight > 0 ? [task] : []));
    const state = JSON.stringify(counts);
    this.stillLooks = holding.length > 0 && state === this.state ? this.stillLooks + 1 : 0;
    this.state = state;
    if (this.stillLooks < LOOKS) return;
    this.stop();
    this.parts.onStall(holding);
  }
}
