/** The end of a run: closes everything that the run opened, in reverse order. A failure on the way does not stop it. */
import { isPromiseLike } from '../../model/awaitable.js';
import type { Awaitable, DeadLetterStore, RunOutcome } from '../../model/ports.js';
import type { Task } from '../../tasks/task.js';
import { blame } from '../wiring/task-failure.js';

export interface ToClose {
  readonly tasks: readonly { readonly name: string; readonly task: Pick<Task<never, unknown>, 'close'> }[];
  readonly deadLetters: DeadLetterStore;
  readonly release?: (() => Awaitable<void>) | undefined;
}

/**
 * Each `close` receives the outcome at its moment: a sink that cannot finish turns a completed run into a failed one.
 */
export async function closeAll(
  { tasks, deadLetters, release }: ToClose,
  outcome: () => RunOutcome,
  fail: (error: unknown) => void,
): Promise<void> {
  // Results are made visible only after the reasons for missing records are on the disk.
  await attempt(() => deadLetters.close(), fail);
  for (const { name, task } of [...tasks].reverse()) {
    const closing = closeTask(name, task, outcome(), fail);
    // Not awaited otherwise: most tasks of a large graph have nothing to close.
    if (closing !== undefined) await closing;
  }
  if (release !== undefined) await attempt(release, fail);
}

/** Closes one task. Passes an error to `fail`, with the name of the task, and never throws or rejects. */
export function closeTask(
  name: string,
  task: Pick<Task<never, unknown>, 'close'>,
  outcome: RunOutcome,
  fail: (error: unknown) => void,
): Promise<void> | undefined {
  const blamed = (error: unknown): void => {
    fail(blame(name, 'could not be closed', error));
  };
  try {
    const closing = task.close(outcome) as unknown;
    return isPromiseLike(closing) ? Promise.resolve(closing).then(() => undefined, blamed) : undefined;
  } catch (error) {
    blamed(error);
    return undefined;
  }
}

/** Passes an error to `fail`, and never rejects. */
export async function attempt(work: () => Awaitable<void>, fail: (error: unknown) => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    fail(error);
  }
}
