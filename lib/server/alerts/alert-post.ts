/**
 * Sends the alerts of a store to their target.
 *
 * Guarantees: an alert that was stored is sent at least once, also by the next server, or is given up with its reason
 * after a day; a target that does not answer delays only alerts; alerts are sent one after another, oldest first.
 */
import { describeThrown } from '../../model/errors.js';
import type { ServerStore } from '../store/server-store.js';
import type { AlertTarget } from './alert-target.js';

export interface AlertPostPorts {
  readonly store: ServerStore;
  readonly target: AlertTarget;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const FIRST_WAIT_MS = 15_000;
const LONGEST_WAIT_MS = 3_600_000;
const GIVEN_UP_AFTER_MS = 86_400_000;
const AT_ONCE = 20;

export class AlertPost {
  private readonly ports: AlertPostPorts;
  private readonly closed = new AbortController();
  private sending: Promise<void> | undefined;

  constructor(ports: AlertPostPorts) {
    this.ports = ports;
  }

  /** Sends the alerts that are due. Joins a sending that is in progress. Rejects if the store does. */
  send(): Promise<void> {
    this.sending ??= this.sendDue().finally(() => {
      this.sending = undefined;
    });
    return this.sending;
  }

  /** Aborts the attempt in progress. The next server makes it again. */
  async close(): Promise<void> {
    this.closed.abort();
    await this.sending?.catch(() => undefined);
  }

  private isClosed(): boolean {
    return this.closed.signal.aborted;
  }

  private async sendDue(): Promise<void> {
    const { store, target, now } = this.ports;
    for (const { attempts, nextAt, sentAt, problem: before, ...alert } of await store.dueAlerts(now(), AT_ONCE)) {
      if (this.isClosed()) return;
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** attempts, LONGEST_WAIT_MS);
      const again = { attempts: attempts + 1, nextAt: now() + waitMs };
      // Before it is sent: if its outcome cannot be stored, it must not be sent again at once.
      await store.changeAlert(alert.id, { ...again, sentAt, problem: before });
      let problem = '';
      try {
        await target(alert, this.closed.signal);
      } catch (error) {
        problem = describeThrown(error);
      }
      if (problem !== '' && this.isClosed()) {
        await store.changeAlert(alert.id, { attempts, nextAt, sentAt, problem: before });
        return;
      }
      const isOver = problem === '' || now() - alert.at > GIVEN_UP_AFTER_MS;
      await store.changeAlert(alert.id, {
        attempts: again.attempts,
        problem,
        sentAt: problem === '' ? now() : null,
        nextAt: isOver ? null : now() + waitMs,
      });
    }
  }
}
