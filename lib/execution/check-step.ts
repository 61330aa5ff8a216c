/** The check of what the `step` of a `statefulTask` returned. */
import { MillraceError, describeValue } from '../model/errors.js';
import { isPromiseLike, refusePromise } from '../model/awaitable.js';

/** Throws MILLRACE_INVALID_OUTPUT if it is no pair, and MILLRACE_INVALID_OPTION if it is or contains a promise. */
export function checkStep(stepped: unknown, task: string): void {
  if (Array.isArray(stepped) && stepped.length === 2) {
    const [state, output] = stepped as readonly unknown[];
    if (isPromiseLike(state)) refusePromise(state, `\`step\` of '${task}', as the state,`);
    if (isPromiseLike(output)) refusePromise(output, `\`step\` of '${task}', as the output,`);
    return;
  }
  refusePromise(stepped, `\`step\` of '${task}'`);
  throw new MillraceError(
    'MILLRACE_INVALID_OUTPUT',
    `Expected \`step\` of '${task}' to return [state, output], got ${describeValue(stepped)}`,
  );
}
