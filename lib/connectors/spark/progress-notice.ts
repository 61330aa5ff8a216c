/** Reports the number of finished tasks of Spark to the observers of a run: every ten seconds, if it has changed. */
import type { Clock } from '../../connect/index.js';

/** The time between two reports, and before the first one, in milliseconds. */
const REPORT_EVERY_MS = 10_000;

export class ProgressNotice {
  private readonly of: string;
  private readonly context: { readonly clock: Clock; notice?(message: string): void };
  private reportedAt: number | undefined;
  private last = '';

  /** @param of the name of the execution, with which the sentence begins. */
  constructor(of: string, context: { readonly clock: Clock; notice?(message: string): void }) {
    this.of = of;
    this.context = context;
  }

  report(completed: number, total: number): void {
    const { context } = this;
    const now = context.clock.monotonicMs();
    this.reportedAt ??= now;
    const text = `${this.of}: ${completed} of ${total} tasks of Spark are done`;
    if (total === 0 || now - this.reportedAt < REPORT_EVERY_MS || text === this.last) return;
    this.reportedAt = now;
    this.last = text;
    context.notice?.(text);
  }
}
