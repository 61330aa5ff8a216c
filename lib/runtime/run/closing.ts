/** The end of a run: everything it opened is closed, in reverse order, whatever goes wrong on the way. */
import type { Awaitable, DeadLetterStore, RunOutcome } from '../../model/ports.js';
import type { Task } from '../../tasks/task.js';
import { blame } from '../wiring/task-failure.js';

export interface ToClose {
  readonly tasks: readonly { readonly name: string; readonly task: Pick<Task<never, unknown>, 'close'> }[];
  readonly deadLetters: DeadLetterStore;
  readonly release?: (() => Awaitable<void>) | undefined;
}

/** Each close sees the outcome as it stands then: a sink that cannot finish turns a completed run into a failed one. */
export async function closeAll(
  { tasks, deadLetters, release }: ToClose,
  outcome: () => RunOutcome,
  fail: (error: unknown) => void,
): Promise<void> {
  // A result is made visible only after the reasons of what it lacks are on the disk.
  await attempt(() => deadLetters.close(), fail);
  for (const { name, task } of [...tasks].reverse()) {
    await attempt(async () => {
      try {
        await task.close(outcome());
      } catch (error) {
        throw blame(name, 'could not be closed', error);
      }
    }, fail);
  }
  if (release !== undefined) await attempt(release, fail);
}

/** Tells what goes wrong, and never rejects. */
export async function attempt(work: () => Awaitable<void>, fail: (error: unknown) => void): Promise<void> {
  try {
    await work();
  } catch (error) {
    fail(error);
  }
}
