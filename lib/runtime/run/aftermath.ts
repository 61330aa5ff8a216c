/**
 * What runs after the end of a run that has failed, was cancelled or drained: the tasks whose rules are met by that.
 *
 * Guarantees: everything that ran before has ended and is closed; no checkpoint is written any more, so a resumed run continues with the
 * last one before; a failure or a cancel ends the present stage, a cancel also all that would follow.
 */
import { MillraceError } from '../../model/errors.js';
import type { RunOutcome } from '../../model/ports.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';
import type { Opening } from './opening.js';
import type { BegunStage } from './stage-order.js';

export interface AftermathParts {
  readonly wiring: Wiring;
  readonly opening: Opening;
  /** Begins the next stage; undefined after the last one. */
  readonly begin: () => BegunStage | undefined;
  /** Reports the start of these tasks. */
  readonly started: (tasks: readonly string[]) => void;
  /** Throws the error of the first law that does not hold. */
  readonly assertOver: () => void;
  /** Resolves when no work beside the records is left. */
  readonly settled: () => Promise<void>;
  /** Closes the tasks of the present stage. Rejects if one of them cannot be closed. */
  readonly end: (outcome: RunOutcome, error: unknown) => Promise<void>;
}

export class Aftermath {
  private readonly parts: AftermathParts;
  /** Aborts the work of the present stage. */
  private abort = new AbortController();
  private isCancelled = false;
  private endStage: (outcome: RunOutcome, error?: unknown) => void = () => undefined;

  constructor(parts: AftermathParts) {
    this.parts = parts;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Ends the present stage, and begins no other one. */
  cancel(): void {
    this.isCancelled = true;
    this.endStage('cancelled', new MillraceError('MILLRACE_ABORTED', 'The run was cancelled'));
  }

  /** Ends the present stage as failed. */
  fail(error: unknown): void {
    this.endStage('failed', error);
  }

  /** Runs one stage after the other. Resolves with the errors of those that failed. */
  async run(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let stage = this.parts.begin(); stage !== undefined && !this.isCancelled; stage = this.parts.begin()) {
      if (stage.tasks.length === 0) continue;
      this.abort = new AbortController();
      const failure = await this.runStage(stage.tasks);
      if (failure !== undefined) failures.push(failure.error);
    }
    return failures;
  }

  private async runStage(names: readonly string[]): Promise<{ readonly error: unknown } | undefined> {
    const { wiring, opening, started, assertOver, settled, end } = this.parts;
    let { outcome, error } = await new Promise<{ outcome: RunOutcome; error: unknown }>((resolve) => {
      this.endStage = (outcome, error) => {
        resolve({ outcome, error });
      };
      const tasks = names.map((name) => wiring.tasks.get(name) as WiredTask);
      opening.openTasks(tasks, wiring).then(
        () => {
          if (this.isCancelled) return;
          started(names);
          wiring.connect(names, () => {
            this.endStage('completed');
          });
        },
        (error: unknown) => {
          this.fail(error);
        },
      );
    });
    const fail = (thrown: unknown): void => {
      if (outcome !== 'failed') [outcome, error] = ['failed', thrown];
    };
    this.endStage = (ended, thrown) => {
      // Work that is aborted may fail.
      if (ended === 'failed' && outcome === 'completed') fail(thrown);
    };
    try {
      if (outcome === 'completed') assertOver();
    } catch (thrown) {
      fail(thrown);
    }
    if (outcome !== 'completed') this.abort.abort(error);
    wiring.disconnect();
    await opening.settled;
    await settled();
    for (const name of names) wiring.opened.delete(name);
    await end(outcome, error).catch(fail);
    return outcome === 'failed' ? { error } : undefined;
  }
}
