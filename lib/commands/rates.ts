/** How fast each task is now. Promise: a rate looks a few seconds back, so it neither jumps nor lags behind for long. */

interface Sample {
  readonly atMs: number;
  readonly done: ReadonlyMap<string, number>;
}

export class Rates {
  private readonly lookBackMs: number;
  private readonly samples: Sample[] = [];

  /** `lookBackMs`: over how much of the past a rate is taken, in milliseconds. */
  constructor(lookBackMs = 3000) {
    this.lookBackMs = lookBackMs;
  }

  /** Takes down how many records each task has done at a time in milliseconds; times never go back. */
  take(atMs: number, done: ReadonlyMap<string, number>): void {
    this.samples.push({ atMs, done });
    // One sample at or beyond the edge is kept, so that there is always a whole stretch to look over.
    while ((this.samples[1]?.atMs ?? Infinity) <= atMs - this.lookBackMs) this.samples.shift();
  }

  /** Records a second; 0 while there is nothing to compare. */
  perSecond(task: string): number {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    const done = (last.done.get(task) ?? 0) - (first.done.get(task) ?? 0);
    return (done / (last.atMs - first.atMs)) * 1000;
  }
}
