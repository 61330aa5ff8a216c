/**
 * The account of one task: what went in, came out, was skipped, was dead-lettered. Promise (law of conservation): at
 * every step in = out + skipped + dead-lettered + in flight, where *in flight* is what the task itself says it holds
 * (queued, running, waiting to leave in order), not a number derived from the other four.
 */
import type { TaskCounts } from '../model/metrics.js';
import { MillraceError } from '../model/errors.js';
import { TaskMeter } from '../measure/task-meter.js';
import type { InFlight } from '../model/metrics.js';

/** How many different skip reasons are counted by name; the rest share one line. */
const MAX_REASONS = 64;
const OTHER_REASONS = 'other reasons';

const NOTHING_IN_FLIGHT: InFlight = { queued: 0, running: 0, waiting: 0 };

export class TaskAccount {
  readonly task: string;
  in = 0;
  out = 0;
  skipped = 0;
  deadLettered = 0;
  /** Failures met, also those that a policy turned into a skip or a fallback value. */
  failed = 0;
  /** Attempts beyond the first. */
  retried = 0;
  /** Batches emitted. */
  batches = 0;
  readonly meter = new TaskMeter();
  /** Monotonic milliseconds of the first and the last thing that happened here; undefined before that. */
  firstAtMs: number | undefined;
  lastAtMs: number | undefined;
  private readonly reasons = new Map<string, number>();
  private look: () => InFlight = () => NOTHING_IN_FLIGHT;
  private oneToOne = true;
  private readAt: () => number | undefined = () => undefined;

  constructor(task: string) {
    this.task = task;
  }

  get held(): InFlight {
    return this.look();
  }

  get inFlight(): number {
    const { queued, running, waiting } = this.look();
    return queued + running + waiting;
  }

  get skipReasons(): ReadonlyMap<string, number> {
    return this.reasons;
  }

  /** The task tells how to look at what it holds. A task that holds nothing between calls need not. */
  watch(look: () => InFlight): void {
    this.look = look;
  }

  /** A source that knows tells how much of its input is read, 0 to 1. */
  watchReading(readShare: () => number | undefined): void {
    this.readAt = readShare;
  }

  readShare(): number | undefined {
    return this.readAt();
  }

  /** A boundary: outputs are not one-to-one with inputs, so what was taken in counts as ended when it is let go of. */
  countsOutputsApart(): void {
    this.oneToOne = false;
  }

  get isOneToOne(): boolean {
    return this.oneToOne;
  }

  countSkip(reason: string, count = 1): void {
    this.skipped += count;
    const key = this.reasons.has(reason) || this.reasons.size < MAX_REASONS ? reason : OTHER_REASONS;
    this.reasons.set(key, (this.reasons.get(key) ?? 0) + count);
  }

  touch(nowMs: number): void {
    this.firstAtMs ??= nowMs;
    this.lastAtMs = nowMs;
    this.mark(nowMs);
  }

  /** The task had the event loop for this stretch, in monotonic milliseconds. */
  worked(fromMs: number, toMs: number): void {
    this.firstAtMs ??= fromMs;
    this.meter.worked(fromMs, toMs);
    this.touch(toMs);
  }

  /** What the task holds may have changed: the meter goes on with what it holds now. */
  mark(nowMs: number): void {
    this.meter.hold(nowMs, this.look());
  }

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

/** The account at this moment, as events and summaries show it. */
export function countsOf(account: TaskAccount): TaskCounts {
  return {
    in: account.in,
    out: account.out,
    skipped: account.skipped,
    deadLettered: account.deadLettered,
    inFlight: account.inFlight,
  };
}
