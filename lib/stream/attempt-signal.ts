/**
 * Signals to the work of one attempt that its result is no longer wanted.
 *
 * Guarantees: an attempt costs nothing until its signal is read. Each attempt has a signal of its own, so listeners of
 * one attempt never see another. A signal that is read after the abort has already aborted.
 */
import { MillraceError } from '../model/errors.js';

export class AttemptSignal {
  private controller: AbortController | undefined;
  private aborted: { readonly reason: unknown } | undefined;

  /** The signal; each read returns the same object. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted !== undefined) this.controller.abort(this.aborted.reason);
    }
    return this.controller.signal;
  }

  /** Aborts the signal. Only the first call has an effect. */
  abort(reason: unknown): void {
    if (this.aborted !== undefined) return;
    this.aborted = { reason };
    this.controller?.abort(reason);
  }
}

/** The abort reason for an attempt that no error of the run has ended. */
export function nobodyWaits(why: string): MillraceError {
  return new MillraceError('MILLRACE_ABORTED', `${why}: nobody waits for this attempt any more`);
}

/** The abort reason given to in-flight work when its operator is unsubscribed. */
export function whyOver({ aborted, reason }: AbortSignal): unknown {
  return aborted ? reason : nobodyWaits('The run is over');
}
