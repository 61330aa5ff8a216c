/**
 * The current rate of each task.
 *
 * Guarantees: a rate covers the last few seconds, so it neither jumps nor lags behind for long.
 */

interface Sample {
  readonly atMs: number;
  readonly done: ReadonlyMap<string, number>;
}

export class Rates {
  private readonly lookBackMs: number;
  private readonly samples: Sample[] = [];

  /** @param lookBackMs the time that a rate covers, in milliseconds */
  constructor(lookBackMs = 3000) {
    this.lookBackMs = lookBackMs;
  }

  /** Adds a sample of the records done per task; `atMs` never goes back. */
  add(atMs: number, done: ReadonlyMap<string, number>): void {
    this.samples.push({ atMs, done });
    // One sample at or before the edge is kept, so that a rate always covers the whole time.
    while ((this.samples[1]?.atMs ?? Infinity) <= atMs - this.lookBackMs) this.samples.shift();
  }

  /** Records per second; 0 with fewer than two samples. */
  perSecond(task: string): number {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    const done = (last.done.get(task) ?? 0) - (first.done.get(task) ?? 0);
    return (done / (last.atMs - first.atMs)) * 1000;
  }
}
