/**
 * The aftermath of a run that has failed, was cancelled or drained: runs the tasks whose rules are met by such an end.
 *
 * Guarantees: all earlier tasks have ended and are closed; no checkpoint is written any more, so a resumed run
 * continues with the last checkpoint before; a failure or a cancel ends the present phase, and a cancel also skips all
 * later phases; a phase that has ended connects no further tasks.
 */
import { MillraceError } from '../../model/errors.js';
import type { RunOutcome } from '../../model/ports.js';
import { attempt } from './closing.js';
import type { PresentPhase } from './present-phase.js';

export interface AftermathParts {
  readonly phase: PresentPhase;
  /** The outcome of the run. */
  readonly outcome: RunOutcome;
  /** Throws the error of the first law that does not hold. */
  readonly assertOver: () => void;
  /** Ends the work of the tasks. Resolves when none is left, and the tasks can be closed. */
  readonly disconnect: () => Promise<void>;
}

/** The end of a phase, with the error if it did not complete. */
interface PhaseEnd {
  readonly outcome: RunOutcome;
  readonly error?: unknown;
}

export class Aftermath {
  private readonly parts: AftermathParts;
  /** Aborts the work of the present phase. */
  private abort = new AbortController();
  private isCancelled = false;
  private endPhase: (end: PhaseEnd) => void = () => undefined;

  constructor(parts: AftermathParts) {
    this.parts = parts;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Ends the present phase, and begins no other one. */
  cancel(): void {
    this.isCancelled = true;
    this.endPhase({ outcome: 'cancelled', error: new MillraceError('MILLRACE_ABORTED', 'The run was cancelled') });
  }

  /** Ends the present phase as failed. */
  fail(error: unknown): void {
    this.endPhase({ outcome: 'failed', error });
  }

  /** Runs one phase after the other. Resolves with the errors of those that failed. */
  async run(): Promise<unknown[]> {
    const { phase, outcome: ofRun } = this.parts;
    const failures: unknown[] = [];
    while (phase.begin(() => !this.isCancelled, ofRun)) {
      const { outcome, error } = await this.runPhase();
      if (outcome === 'failed') failures.push(error);
    }
    return failures;
  }

  private async runPhase(): Promise<PhaseEnd> {
    const { phase, assertOver, disconnect } = this.parts;
    this.abort = new AbortController();
    let end: PhaseEnd | undefined;
    const ended = new Promise<void>((resolve) => {
      this.endPhase = (given) => {
        // Work that is aborted may fail, so only the first end counts; a completed phase may still fail while it ends.
        if (end === undefined || (end.outcome === 'completed' && given.outcome === 'failed')) end = given;
        resolve();
      };
    });
    const theEnd = (): PhaseEnd => end as PhaseEnd;
    const fail = (error: unknown): void => {
      if (theEnd().outcome !== 'failed') end = { outcome: 'failed', error };
    };
    void this.openPhase(() => end !== undefined);
    await ended;
    if (theEnd().outcome === 'completed') await attempt(assertOver, fail);
    if (theEnd().outcome !== 'completed') this.abort.abort(theEnd().error);
    await attempt(disconnect, fail);
    await attempt(() => phase.close(theEnd().outcome, theEnd().error), fail);
    return theEnd();
  }

  private async openPhase(hasEnded: () => boolean): Promise<void> {
    const { phase } = this.parts;
    try {
      await phase.open(hasEnded);
      if (hasEnded()) return;
      phase.announce();
      // A listener may have ended the phase.
      if (hasEnded()) return;
      phase.connect(() => {
        this.endPhase({ outcome: 'completed' });
      });
    } catch (error) {
      this.fail(error);
    }
  }
}
