/**
 * What runs after the end of a run that has failed, was cancelled or drained: the tasks whose rules are met by that.
 *
 * Guarantees: everything that ran before has ended and is closed; no checkpoint is written any more, so a resumed run continues with the
 * last one before; a failure or a cancel ends the present stage, a cancel also all that would follow; a stage that has ended connects
 * nothing more.
 */
import { MillraceError } from '../../model/errors.js';
import type { RunOutcome } from '../../model/ports.js';
import { attempt } from './closing.js';
import type { PresentStage } from './present-stage.js';

export interface AftermathParts {
  readonly stage: PresentStage;
  /** How the run has ended. */
  readonly outcome: RunOutcome;
  /** Throws the error of the first law that does not hold. */
  readonly assertOver: () => void;
  /** Ends the work of the tasks. Resolves when none is left, and the tasks can be closed. */
  readonly disconnect: () => Promise<void>;
}

/** How a stage ended, and the error if it did not complete. */
interface StageEnd {
  readonly outcome: RunOutcome;
  readonly error?: unknown;
}

export class Aftermath {
  private readonly parts: AftermathParts;
  /** Aborts the work of the present stage. */
  private abort = new AbortController();
  private isCancelled = false;
  private endStage: (end: StageEnd) => void = () => undefined;

  constructor(parts: AftermathParts) {
    this.parts = parts;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Ends the present stage, and begins no other one. */
  cancel(): void {
    this.isCancelled = true;
    this.endStage({ outcome: 'cancelled', error: new MillraceError('MILLRACE_ABORTED', 'The run was cancelled') });
  }

  /** Ends the present stage as failed. */
  fail(error: unknown): void {
    this.endStage({ outcome: 'failed', error });
  }

  /** Runs one stage after the other. Resolves with the errors of those that failed. */
  async run(): Promise<unknown[]> {
    const { stage, outcome: ofRun } = this.parts;
    const failures: unknown[] = [];
    while (stage.begin(() => !this.isCancelled, ofRun)) {
      const { outcome, error } = await this.runStage();
      if (outcome === 'failed') failures.push(error);
    }
    return failures;
  }

  private async runStage(): Promise<StageEnd> {
    const { stage, assertOver, disconnect } = this.parts;
    this.abort = new AbortController();
    let end: StageEnd | undefined;
    const ended = new Promise<void>((resolve) => {
      this.endStage = (given) => {
        // Work that is aborted may fail, so only the first end counts; a completed stage may still fail while it ends.
        if (end === undefined || (end.outcome === 'completed' && given.outcome === 'failed')) end = given;
        resolve();
      };
    });
    const theEnd = (): StageEnd => end as StageEnd;
    const fail = (error: unknown): void => {
      if (theEnd().outcome !== 'failed') end = { outcome: 'failed', error };
    };
    void this.openStage(() => end !== undefined);
    await ended;
    if (theEnd().outcome === 'completed') await attempt(assertOver, fail);
    if (theEnd().outcome !== 'completed') this.abort.abort(theEnd().error);
    await attempt(disconnect, fail);
    await attempt(() => stage.close(theEnd().outcome, theEnd().error), fail);
    return theEnd();
  }

  private async openStage(hasEnded: () => boolean): Promise<void> {
    const { stage } = this.parts;
    try {
      await stage.open();
      if (hasEnded()) return;
      stage.announce();
      // A listener may have ended the stage.
      if (hasEnded()) return;
      stage.connect(() => {
        this.endStage({ outcome: 'completed' });
      });
    } catch (error) {
      this.fail(error);
    }
  }
}
