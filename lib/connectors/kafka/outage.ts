/**
 * Reports a cluster that cannot be reached early, while a client tries again until its timeout.
 *
 * Guarantees: at most one report per outage. An outage begins with an attempt, and ends with the first answer. Reports
 * nothing while any broker can be reached.
 */
import { systemClock, type Clock } from '../../connect/index.js';

/** Longer than the restart of a connection takes, and short for a person who waits. */
const TELL_AFTER_MS = 2000;

export interface OutageParts {
  /** Some brokers of the cluster, as `host:port`. */
  readonly brokers: readonly string[];
  /** How long a request is repeated, in milliseconds. */
  readonly timeoutMs: number;
  readonly onNotice: (message: string) => void;
  readonly clock?: Pick<Clock, 'now' | 'schedule'>;
}

export class OutageWatch {
  private readonly parts: OutageParts;
  private readonly clock: Pick<Clock, 'now' | 'schedule'>;
  private cancel: (() => void) | undefined;
  private reason: string | undefined;

  constructor(parts: OutageParts) {
    this.parts = parts;
    this.clock = parts.clock ?? systemClock;
  }

  /** An attempt to reach a broker begins. */
  begin(): void {
    if (this.cancel !== undefined) return;
    const sinceMs = this.clock.now();
    this.cancel = this.clock.schedule(TELL_AFTER_MS, () => {
      const { brokers, timeoutMs, onNotice } = this.parts;
      const until = new Date(sinceMs + timeoutMs).toTimeString().slice(0, 8);
      const names = `broker${brokers.length === 1 ? '' : 's'} ${brokers.join(', ')}`;
      onNotice(`Cannot reach ${names}: ${this.reason ?? 'no answer yet'}; trying again until ${until}`);
    });
  }

  /** An attempt has failed. */
  fail(reason: string): void {
    this.reason = reason;
  }

  /** A broker has answered, or the client is closed. */
  end(): void {
    this.cancel?.();
    this.cancel = undefined;
    this.reason = undefined;
  }
}
