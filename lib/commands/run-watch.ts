/**
 * The state of a run for the reports: its counts and rates, and its last measurements.
 *
 * Guarantees: reading it changes nothing in the run.
 */
import type { RunEvent } from '../model/events.js';
import { arrange, countsOfWhole, type ArrangedTask, type GroupedTask } from '../model/sub-workflows.js';
import { doneOf, type Frame, type FrameTask } from './progress-frame.js';
import { Rates } from './rates.js';
import type { ReportedRun } from './report.js';
import { entry } from '../text/entry.js';

type Figures = Pick<Frame, 'tasks' | 'resources' | 'bottleneck' | 'leftMs'>;

/** The least share of the input that must be read before the remaining time is estimated. */
const LEAST_SHARE = 0.02;

export class RunWatch {
  private readonly run: ReportedRun;
  private readonly rates = new Rates();
  private readonly startedAtMs = performance.now();
  private readonly dependencies = new Map<string, readonly string[]>();
  /** The order in which tasks are shown: a sub-workflow stands in front of its tasks. Empty before the run has begun. */
  private arranged: readonly ArrangedTask[] = [];
  /** By the end of a sub-workflow. */
  private readonly wholes = new Map<string, GroupedTask>();
  /**
   * `accepting`: the tasks that accept each record of each dependency. `inheriting`: those of them that emit as many
   * records as they accept.
   */
  private readonly accepting = new Set<string>();
  private readonly inheriting = new Set<string>();
  private readonly ended = new Map<string, number>();
  private progress: Extract<RunEvent, { type: 'progress' }> | undefined;
  private resources: string | undefined;

  constructor(run: ReportedRun) {
    this.run = run;
    this.rates.add(0, new Map());
  }

  /** Milliseconds since the watch was created. */
  get elapsedMs(): number {
    return performance.now() - this.startedAtMs;
  }

  /** Must be called with each event of the run. */
  accept(event: RunEvent): void {
    if (event.type === 'run-started') {
      this.arranged = arrange(event.graph);
      for (const task of event.graph) if (task.members !== undefined) this.wholes.set(task.name, task);
      for (const { name, dependencies, inputs, join, bearing } of event.graph) {
        this.dependencies.set(name, dependencies);
        // If a dependency is a named output, the number of records that it will have is not known.
        if (join === 'aligned' && dependencies.length > 0 && inputs === undefined) this.accepting.add(name);
        if (join === 'aligned' && bearing === 'inherits') this.inheriting.add(name);
      }
    } else if (event.type === 'task-ended') this.ended.set(event.task, event.counts.out);
    else if (event.type === 'progress') this.progress = event;
    else if (event.type === 'resources') this.resources = inWords(event);
  }

  look(): FrameTask[] {
    const all = this.run.counts;
    const counts = Object.entries(all);
    this.rates.add(this.elapsedMs, new Map(counts.map(([name, count]) => [name, doneOf(count)])));
    if (this.wholes.size === 0) {
      return counts.map(([name, count]) => ({ name, counts: count, perSecond: this.rates.perSecond(name) }));
    }
    return this.arranged.flatMap(({ name, depth }): FrameTask[] => {
      const own = entry(all, name);
      if (own === undefined) return [];
      const whole = this.wholes.get(name);
      const task = { name, perSecond: this.rates.perSecond(name), depth };
      if (whole === undefined) return [{ ...task, counts: own }];
      const sums = countsOfWhole(whole, ['skipped', 'deadLettered', 'inFlight'], (one) => entry(all, one));
      return [{ ...task, counts: sums, isWhole: true }];
    });
  }

  /** All data of the live frame, except its head. */
  figures(): Figures {
    const tasks = this.look().map((task) => ({ ...task, share: this.shareOf(task) }));
    return { tasks, resources: this.resources, bottleneck: this.progress?.bottleneck, leftMs: this.leftMs(tasks) };
  }

  /** The share of its work that a task has done; undefined if the total is not known. */
  private shareOf({ name, counts, isWhole }: FrameTask): number | undefined {
    if (this.ended.has(name)) return 1;
    const read = (this.progress && entry(this.progress.tasks, name))?.readShare;
    if (read !== undefined) return read;
    const whole = this.wholeOf(name);
    if (whole !== undefined && isWhole === true) return counts.out / Math.max(1, whole);
    return whole === undefined ? undefined : (doneOf(counts) + counts.deadLettered) / Math.max(1, whole);
  }

  /** The number of records that a task will have accepted in total; undefined while that is not known. */
  private wholeOf(name: string): number | undefined {
    const dependencies = this.dependencies.get(name) ?? [];
    if (!this.accepting.has(name)) return undefined;
    const wholes = dependencies.map((dependency) => {
      const given = this.ended.get(dependency);
      if (given !== undefined) return given;
      return this.inheriting.has(dependency) ? this.wholeOf(dependency) : undefined;
    });
    return wholes.includes(undefined) ? undefined : Math.min(...(wholes as number[]));
  }

  /** The remaining time of the slowest source or task; undefined if the total of one of them is not known. */
  private leftMs(tasks: readonly FrameTask[]): number | undefined {
    const { elapsedMs } = this;
    const open = tasks.filter(({ name, isWhole }) => !this.ended.has(name) && isWhole !== true);
    const left = open.map(({ name, share, counts, perSecond }) => {
      const whole = this.wholeOf(name);
      if (whole !== undefined && perSecond > 0) return ((whole - doneOf(counts)) / perSecond) * 1000;
      return share !== undefined && share >= LEAST_SHARE ? (elapsedMs * (1 - share)) / share : undefined;
    });
    const known = left.filter((ms) => ms !== undefined);
    // While sources are being read, the tasks after them progress at the same pace.
    const isReading = open.some(
      ({ name }) => (this.progress && entry(this.progress.tasks, name))?.readShare !== undefined,
    );
    if (known.length === 0 || (!isReading && known.length < left.length)) return undefined;
    return Math.max(0, ...known);
  }
}

function inWords({ process, pool }: Extract<RunEvent, { type: 'resources' }>): string {
  const { rssBytes, cpuShare, eventLoop } = process;
  const busy = pool?.threads.length ?? 0;
  return [
    `memory ${Math.round(rssBytes / 2 ** 20)} MiB`,
    `processor ${cpuShare.toFixed(1)} cores`,
    `event loop ${Math.round(eventLoop.utilization * 100)} % busy, late by ${eventLoop.delayMs.p99.toFixed(0)} ms`,
    ...(busy > 0 ? [`${busy} threads, ${pool?.queued ?? 0} records queued`] : []),
  ].join(' · ');
}
