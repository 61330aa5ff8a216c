import { MillraceError, describeThrown } from '../../model/errors.js';
import type { RunSummary } from '../../model/run-summary.js';

/** Why a run failed: the message of the first failure, with its code and the summary of what was done. */
export class RunFailedError extends MillraceError {
  /** What was done until then; its outcome is 'failed'. Not printed with the error. */
  declare readonly summary: RunSummary;

  constructor(summary: RunSummary, cause: unknown) {
    const code = cause instanceof MillraceError ? cause.code : 'MILLRACE_TASK';
    super(code, describeThrown(cause), { cause });
    // An error that nobody caught is printed with all its enumerable members, and this is pages long.
    Object.defineProperty(this, 'summary', { value: summary });
  }
}
