/**
 * The phase that runs at this moment: the part of the graph whose tasks are opened, connected and closed together.
 *
 * Guarantees: each task that a phase has begun is closed once, dependents before their dependencies, also if it could
 * not be opened; the end of a task is recorded once, when it is closed.
 */
import { describeThrown, codeOf } from '../../model/errors.js';
import type { RunEvent } from '../../model/events.js';
import type { TaskCounts } from '../../model/metrics.js';
import type { Clock, RunOutcome } from '../../model/ports.js';
import type { Secrets } from '../../text/secrets.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';
import { closeTask } from './closing.js';
import type { Opening } from './opening.js';
import type { PhaseOrder } from './phase-order.js';

export interface PresentPhaseParts {
  readonly order: PhaseOrder;
  readonly wiring: Wiring;
  readonly opening: Opening;
  readonly clock: Clock;
  readonly secrets: Secrets;
  readonly emit: (event: RunEvent) => void;
  /** The account of each task at this moment. */
  readonly counts: () => Readonly<Record<string, TaskCounts>>;
}

export class PresentPhase {
  private readonly parts: PresentPhaseParts;
  /** The tasks that were opened, or would have been, and are not closed. */
  private readonly toClose = new Set<string>();

  constructor(parts: PresentPhaseParts) {
    this.parts = parts;
  }

  /** The tasks of the present phase that run, dependencies first. */
  get tasks(): readonly WiredTask[] {
    return this.parts.wiring.active;
  }

  /** Tasks that were begun and are not closed. */
  get unclosed(): readonly WiredTask[] {
    return [...this.parts.wiring.tasks.values()].filter(({ plan }) => this.toClose.has(plan.node.name));
  }

  /**
   * Begins the next phase in which a task runs, and reports the tasks that are skipped. False if there is none.
   * @param mayBegin called before each phase, because a subscriber to the skipped tasks may end the run.
   * @param ended the outcome of the run, if the phase is part of its aftermath.
   */
  begin(mayBegin: () => boolean, ended?: RunOutcome): boolean {
    const { order, wiring, clock, emit } = this.parts;
    while (mayBegin()) {
      const skipped = order.begin(ended);
      if (skipped === undefined) return false;
      wiring.present(order.tasks);
      for (const task of order.tasks) this.toClose.add(task);
      for (const [task, reason] of skipped) emit({ type: 'task-skipped', at: clock.now(), task, reason });
      if (order.tasks.length > 0) return true;
    }
    return false;
  }

  /**
   * Checks and opens the tasks, at the same time. Rejects with the first error.
   * @param hasEnded called after the checks, because a phase that has ended meanwhile is being closed.
   */
  async open(hasEnded: () => boolean): Promise<void> {
    const { opening, wiring, clock } = this.parts;
    await opening.check(this.tasks, clock);
    if (hasEnded()) return;
    await opening.openTasks(this.tasks, wiring);
  }

  /** Reports the start of the tasks. */
  announce(): void {
    for (const task of this.parts.order.tasks) {
      this.parts.emit({ type: 'task-started', at: this.parts.clock.now(), task });
    }
  }

  /** Connects the tasks. Calls `onDone` after the last output; at once in a run in which no task is left to run. */
  connect(onDone: () => void): void {
    if (this.parts.order.tasks.length === 0) onDone();
    else this.parts.wiring.connect(onDone);
  }

  /**
   * Closes the tasks, and records their ends. On an error, the phase counts as failed; rejects with the first error.
   */
  async close(outcome: RunOutcome, error?: unknown): Promise<void> {
    const { order, wiring, counts } = this.parts;
    const errors: unknown[] = [];
    for (const name of [...order.tasks].reverse()) {
      if (!this.toClose.delete(name)) continue;
      wiring.opened.delete(name);
      const { declaration } = wiring.tasks.get(name) as WiredTask;
      const closing = closeTask(name, declaration.task, outcome, (thrown) => errors.push(thrown));
      if (closing !== undefined) await closing;
    }
    const hasFailed = outcome === 'failed' || (errors.length > 0 && outcome !== 'cancelled');
    const failure = outcome === 'failed' ? error : errors[0];
    if (hasFailed) order.end('failed', counts(), this.inWords(failure));
    else order.end(outcome, counts());
    if (errors.length > 0) throw errors[0];
  }

  private inWords(error: unknown): { readonly code: string; readonly message: string } {
    return { code: codeOf(error), message: this.parts.secrets.message(describeThrown(error)) };
  }
}
