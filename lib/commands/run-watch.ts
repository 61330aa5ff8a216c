/** Counts and rates of a run at a moment, for the reports that show them. Promise: looking changes nothing in the run. */
import { doneOf, type FrameTask } from './progress-frame.js';
import { Rates } from './rates.js';
import type { ReportedRun } from './report.js';

export class RunWatch {
  private readonly run: ReportedRun;
  private readonly rates = new Rates();
  private readonly startedAtMs = performance.now();

  constructor(run: ReportedRun) {
    this.run = run;
    this.rates.take(0, new Map());
  }

  /** Milliseconds since the watch began. */
  get elapsedMs(): number {
    return performance.now() - this.startedAtMs;
  }

  look(): FrameTask[] {
    const counts = Object.entries(this.run.counts);
    this.rates.take(this.elapsedMs, new Map(counts.map(([name, count]) => [name, doneOf(count)])));
    return counts.map(([name, count]) => ({ name, counts: count, perSecond: this.rates.perSecond(name) }));
  }
}
