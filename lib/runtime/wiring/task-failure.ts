/** Failures of a task that no record is to blame for. */
import { MillraceError, describeThrown } from '../../model/errors.js';

/**
 * The error with the task it came from. Errors of millrace say what is wrong with which thing; somebody else's code does
 * not know what its task is called.
 * @param what goes on after the name: `could not be opened`.
 */
export function blame(task: string, what: string, error: unknown): unknown {
  if (error instanceof MillraceError) return error;
  return new MillraceError('MILLRACE_TASK', `Task '${task}' ${what}: ${describeThrown(error)}`, { cause: error });
}
