/** Failures of a task that no record has caused. */
import { MillraceError, describeThrown } from '../../model/errors.js';

/**
 * Adds the name of the task to an error. Errors of millrace already name it; an error of user code does not know it.
 * @param what the text after the name, for example `could not be opened`.
 */
export function blame(task: string, what: string, error: unknown): unknown {
  if (error instanceof MillraceError) return error;
  return new MillraceError('MILLRACE_TASK', `Task '${task}' ${what}: ${describeThrown(error)}`, { cause: error });
}
