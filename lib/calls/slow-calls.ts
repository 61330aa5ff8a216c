/** Attempts that take longer than is usual, in the order in which they are to get a second try. */
import type { Attempt } from './call.js';
import { HedgeTimer, type HedgePolicy } from './policies/hedge-policy.js';

export class SlowCalls<In> {
  private readonly timer: HedgeTimer;
  /** The share of hedges bounds it. */
  private readonly due: Attempt<In>[] = [];

  constructor(policy: HedgePolicy) {
    this.timer = new HedgeTimer(policy);
  }

  /** Milliseconds after which an attempt is slow. */
  get afterMs(): number {
    return this.timer.delayMs;
  }

  /** An attempt succeeded after so long. */
  record(latencyMs: number): void {
    this.timer.record(latencyMs);
  }

  /** Gives whether the attempt will be hedged. */
  add(attempt: Attempt<In>): boolean {
    if (!this.timer.spend()) return false;
    this.due.push(attempt);
    return true;
  }

  /** The next that is still under way; it stays the next until `shift`. */
  get next(): Attempt<In> | undefined {
    while (this.due[0]?.isOver === true) this.due.shift();
    return this.due[0];
  }

  shift(): void {
    this.due.shift();
  }
}
