/**
 * The tasks that run after the end of a spread run that has failed, was cancelled or drained: alerts and teardowns. They
 * run in the process that started the run.
 *
 * Each end of the run has its own records: their idempotency keys contain the time at which this process started, so no
 * upstream treats the second alert as a repetition of the first one.
 *
 * Guarantees: all workers of the run have left its group before the first of these tasks begins, so none of them runs
 * beside tasks of the run. A cancel ends the present phase, and no later one begins.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaPort } from '../connectors/kafka/port.js';
import { codeOf, describeThrown } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import type { DeadLetterStore, RunOutcome } from '../model/ports.js';
import type { PhaseOrder } from '../runtime/run/phase-order.js';
import type { Run } from '../runtime/run/run.js';
import type { RunParts } from '../runtime/run/run-parts.js';
import type { Secrets } from '../text/secrets.js';
import { TallyOfRun } from './lane-tally.js';
import type { RunTotals } from './run-totals.js';
import { started, type SpreadWorkflow } from './stage-workflow.js';

export interface SpreadAftermathParts {
  readonly workflow: SpreadWorkflow;
  readonly parts: RunParts;
  readonly client: KafkaPort;
  /** The group of the workers. */
  readonly group: string;
  /** The phases, of which the present one has ended. */
  readonly order: PhaseOrder;
  readonly totals: RunTotals;
  readonly secrets: Secrets;
  readonly outcome: RunOutcome;
  /** When this process started to follow the run, milliseconds since 1970. */
  readonly startedAt: number;
  readonly emit: (event: RunEvent) => void;
  /** The milliseconds for which workers may stay in the group. */
  readonly patienceMs?: number;
}

/** The events of a run of this process that are events of the spread run. */
const OWN_EVENTS: ReadonlySet<RunEvent['type']> = new Set<RunEvent['type']>([
  ...(['run-started', 'run-ended', 'progress', 'resources', 'draining'] as const),
]);
/** A worker that was killed stays in the group for its session, by default 45 seconds. */
const PATIENCE_MS = 60_000;
const LOOK_EVERY_MS = 200;

export class SpreadAftermath {
  private readonly parts: SpreadAftermathParts;
  private isCancelled = false;
  private present: Run | undefined;
  private isAlone: boolean | undefined;

  constructor(parts: SpreadAftermathParts) {
    this.parts = parts;
  }

  /** Ends the present phase, and begins no other one. */
  cancel(): void {
    this.isCancelled = true;
    this.present?.cancel();
  }

  /** Runs one phase after the other. Resolves with the errors of those that failed. */
  async run(): Promise<unknown[]> {
    const { order, outcome, emit } = this.parts;
    const failures: unknown[] = [];
    for (let phase = 1; !this.isCancelled; phase++) {
      const skipped = order.begin(outcome);
      if (skipped === undefined) break;
      for (const [task, reason] of skipped) emit({ type: 'task-skipped', at: Date.now(), task, reason });
      if (order.tasks.length === 0) continue;
      this.isAlone ??= await this.untilAlone(order.tasks);
      if (!this.isAlone || this.wasCancelled()) break;
      await this.runPhase(phase).catch((error: unknown) => failures.push(error));
    }
    return failures;
  }

  /** A method, not the field, so that TypeScript does not narrow it across awaits. */
  private wasCancelled(): boolean {
    return this.isCancelled;
  }

  /** Resolves with false if workers of other machines are still at work. */
  private async untilAlone(waiting: readonly string[]): Promise<boolean> {
    const { client, group, emit, patienceMs = PATIENCE_MS } = this.parts;
    const until = performance.now() + patienceMs;
    while (await client.hasMembers(group)) {
      if (this.isCancelled) return false;
      if (performance.now() > until) {
        const names = waiting.map((task) => `'${task}'`).join(', ');
        const message = `Not run after the end of this run: ${names}. Other workers are still at work on it`;
        emit({ type: 'notice', at: Date.now(), message });
        return false;
      }
      await sleep(LOOK_EVERY_MS);
    }
    return true;
  }

  private async runPhase(phase: number): Promise<void> {
    const { workflow, parts, order, totals, secrets, startedAt, emit } = this.parts;
    const tasks = new Set(order.tasks);
    const derived = workflow.derive(
      `${workflow.name} (after its end)`,
      (all) =>
        all
          .filter(({ name }) => tasks.has(name))
          .map((own) => started(own, (task, prefix) => order.startOf(task, prefix))),
      { startedAt: workflow.startedAt },
    );
    const { upstream, runId } = parts;
    const run = (this.present = derived.run({
      ...{ runId: `${runId}.after-${startedAt}`, seed: parts.seed, secrets, threads: 1 },
      deadLetters: shared(parts.deadLetters, runId),
      ...(upstream === undefined ? {} : { upstream }),
    }));
    const tally = new TallyOfRun({ tasks: order.tasks, outputs: [] }, undefined);
    const count = (isFinal: boolean): void => {
      totals.accept(-phase, tally.total(run.counts), isFinal);
      emit(totals.progress());
    };
    run.events$.subscribe((event) => {
      if (event.type === 'progress') {
        tally.accept(event);
        count(false);
      } else if (event.type === 'run-ended') tally.end(event.summary);
      if (event.type === 'dead-letter') emit({ ...event, letter: { ...event.letter, runId } });
      else if (!OWN_EVENTS.has(event.type)) emit(event);
    });
    try {
      const { outcome } = await run.finished;
      order.end(outcome, run.counts);
    } catch (error) {
      order.end('failed', run.counts, { code: codeOf(error), message: secrets.message(describeThrown(error)) });
      throw error;
    } finally {
      this.present = undefined;
      count(true);
    }
  }
}

/** The store of the run, which is closed later. */
function shared(store: DeadLetterStore, runId: string): DeadLetterStore {
  return {
    write: (letter) => {
      store.write({ ...letter, runId });
    },
    get isFull() {
      return store.isFull;
    },
    whenReady: (listener) => {
      store.whenReady(listener);
    },
    whenBroken: (listener) => {
      store.whenBroken(listener);
    },
    close: () => Promise.resolve(),
  };
}
