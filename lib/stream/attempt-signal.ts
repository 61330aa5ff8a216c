/**
 * Tells the work of one attempt that nobody waits for it any more.
 *
 * Promises: it costs nothing until somebody asks for the signal; each attempt has one of its own, so that what listens to
 * one has no part in another; whoever asks after the abort gets a signal that has aborted.
 */
import { MillraceError } from '../model/errors.js';

export class AttemptSignal {
  private controller: AbortController | undefined;
  private aborted: { readonly reason: unknown } | undefined;

  /** The same object each time. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted !== undefined) this.controller.abort(this.aborted.reason);
    }
    return this.controller.signal;
  }

  /** The first reason holds. */
  abort(reason: unknown): void {
    if (this.aborted !== undefined) return;
    this.aborted = { reason };
    this.controller?.abort(reason);
  }
}

/** What a signal says where no error of the run has ended the attempt. */
export function nobodyWaits(why: string): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', `${why}: nobody waits for this attempt any more`);
}

/** Why everything that is under way in an operator that was unsubscribed is aborted. */
export function whyOver({ aborted, reason }: AbortSignal): unknown {
  return aborted ? reason : nobodyWaits('The run is over');
}
