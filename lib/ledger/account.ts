/**
 * The account of one task: records in, out, skipped and dead-lettered.
 *
 * Guarantees (law of conservation): at every step in = out + skipped + dead-lettered + in flight. The number in flight
 * comes from the task's own report (queued, running, waiting to leave in order), not from the other four numbers.
 */
import type { MemoCounts } from '../model/memo.js';
import type { TaskCounts } from '../model/metrics.js';
import { MillraceError } from '../model/errors.js';
import { TaskMeter } from '../measure/task-meter.js';
import type { InFlight } from '../model/metrics.js';

/** How many different skip reasons have their own count; all others share one. */
const MAX_REASONS = 64;
const OTHER_REASONS = 'other reasons';

const NO_COUNTS: ReadonlyMap<string, number> = new Map();
const NOTHING_IN_FLIGHT: InFlight = { queued: 0, running: 0, waiting: 0 };

const noneInFlight = (): InFlight => NOTHING_IN_FLIGHT;
const nothingRead = (): number | undefined => undefined;

export class TaskAccount {
  readonly task: string;
  in = 0;
  out = 0;
  skipped = 0;
  deadLettered = 0;
  /** Failures, including those that a policy turned into a skip or a fallback value. */
  failed = 0;
  /** Attempts beyond the first. */
  retried = 0;
  /** Iterations of records that have ended. */
  iterations = 0;
  /** Batches emitted. */
  batches = 0;
  readonly meter = new TaskMeter();
  /** Hits and misses; undefined for a task that remembers nothing. */
  memo: MemoCounts | undefined;
  /** Monotonic milliseconds of the first and the last activity; undefined before it. */
  firstAtMs: number | undefined;
  lastAtMs: number | undefined;
  /** Created on demand, because most tasks of a large graph need neither. */
  private routes: Map<string, number> | undefined;
  private reasons: Map<string, number> | undefined;
  private look = noneInFlight;
  private oneToOne = true;
  private readAt = nothingRead;

  constructor(task: string) {
    this.task = task;
  }

  /** The records in flight, by state. */
  get inFlightByState(): InFlight {
    return this.look();
  }

  get inFlight(): number {
    const { queued, running, waiting } = this.look();
    return queued + running + waiting;
  }

  get skipReasons(): ReadonlyMap<string, number> {
    return this.reasons ?? NO_COUNTS;
  }

  /** Of `out`, the records that left by a named output, by its name. */
  get routed(): ReadonlyMap<string, number> {
    return this.routes ?? NO_COUNTS;
  }

  /**
   * Sets the function that reports the records in flight. A task that holds none between calls needs no such function.
   */
  watch(look: () => InFlight): void {
    this.look = look;
  }

  /** Sets the function that reports records in flight beside the task: those whose outputs are looked up or stored. */
  watchBeside(look: () => InFlight): void {
    const own = this.look;
    this.look = () => {
      const [task, beside] = [own(), look()];
      return {
        ...task,
        queued: task.queued + beside.queued,
        running: task.running + beside.running,
        waiting: task.waiting + beside.waiting,
      };
    };
  }

  /** Sets the function that reports how much of its input a source has read, 0 to 1. */
  watchReading(readShare: () => number | undefined): void {
    this.readAt = readShare;
  }

  readShare(): number | undefined {
    return this.readAt();
  }

  /**
   * Marks the task as a boundary: its outputs are not one-to-one with its inputs, which end when the task releases
   * them.
   */
  countsOutputsApart(): void {
    this.oneToOne = false;
  }

  get isOneToOne(): boolean {
    return this.oneToOne;
  }

  countRouted(output: string): void {
    this.routes ??= new Map();
    this.routes.set(output, (this.routes.get(output) ?? 0) + 1);
  }

  countSkip(reason: string, count = 1): void {
    this.skipped += count;
    const reasons = (this.reasons ??= new Map<string, number>());
    const key = reasons.has(reason) || reasons.size < MAX_REASONS ? reason : OTHER_REASONS;
    reasons.set(key, (reasons.get(key) ?? 0) + count);
  }

  /** Records that the task was active at this time. */
  touch(nowMs: number): void {
    this.firstAtMs ??= nowMs;
    this.lastAtMs = nowMs;
    this.sampleMeter(nowMs);
  }

  /** Records a stretch in which the task had the event loop, in monotonic milliseconds. */
  worked(fromMs: number, toMs: number): void {
    this.firstAtMs ??= fromMs;
    this.meter.worked(fromMs, toMs);
    this.touch(toMs);
  }

  /** Passes the present state of the records in flight to the meter. Call it whenever they may have changed. */
  sampleMeter(nowMs: number): void {
    this.meter.hold(nowMs, this.look());
  }

  /** Throws MILLRACE_CONSERVATION if the numbers of the account do not balance. */
  assertConservation(): void {
    if (!this.oneToOne) return;
    const accounted = this.out + this.skipped + this.deadLettered + this.inFlight;
    if (this.in !== accounted) {
      throw new MillraceError(
        'MILLRACE_CONSERVATION',
        `Task '${this.task}' does not balance: in ${this.in} ≠ out ${this.out} + skipped ${this.skipped} + ` +
          `dead-lettered ${this.deadLettered} + in flight ${this.inFlight}. The run stops, because a wrong answer is worse`,
      );
    }
  }
}

/** The present counts, for events and summaries. */
export function countsOf(account: TaskAccount): TaskCounts {
  return {
    in: account.in,
    out: account.out,
    skipped: account.skipped,
    deadLettered: account.deadLettered,
    inFlight: account.inFlight,
    ...(account.iterations > 0 && { iterations: account.iterations }),
  };
}
