import { MillraceError, describeThrown } from '../core/errors.js';
import type { RunSummary } from '../core/run-summary.js';

/** Why a run failed: the message of the first failure, with its code and the summary of what was done. */
export class RunFailedError extends MillraceError {
  /** What was done until then; its outcome is 'failed'. */
  readonly summary: RunSummary;

  constructor(summary: RunSummary, cause: unknown) {
    const code = cause instanceof MillraceError ? cause.code : 'MILLRACE_TASK';
    super(code, describeThrown(cause), { cause });
    this.summary = summary;
  }
}
