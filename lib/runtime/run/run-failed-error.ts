import { MillraceError, describeThrown } from '../../model/errors.js';
import type { RunSummary } from '../../model/run-summary.js';

/** The failure of a run: the message and code of the first failure, with the summary of the run. */
export class RunFailedError extends MillraceError {
  /** The summary of the run until the failure; its outcome is 'failed'. Not printed with the error. */
  declare readonly summary: RunSummary;

  constructor(summary: RunSummary, cause: unknown) {
    const code = cause instanceof MillraceError ? cause.code : 'MILLRACE_TASK';
    super(code, describeThrown(cause), { cause });
    // Node prints all enumerable members of an uncaught error, and a summary is pages long.
    Object.defineProperty(this, 'summary', { value: summary });
  }
}
