/** The end of a run: everything it opened is closed, in reverse order, whatever goes wrong on the way. */
import type { Awaitable, DeadLetterStore, RunOutcome } from '../core/ports.js';

export interface Closable {
  close(outcome: RunOutcome): Awaitable<void>;
}

export interface ToClose {
  readonly tasks: readonly Closable[];
  readonly deadLetters: DeadLetterStore;
  readonly release?: (() => Awaitable<void>) | undefined;
}

/** Each close sees the outcome as it stands then: a sink that cannot finish turns a completed run into a failed one. */
export async function closeAll(
  { tasks, deadLetters, release }: ToClose,
  outcome: () => RunOutcome,
  fail: (error: unknown) => void,
): Promise<void> {
  const attempt = async (close: () => Awaitable<void>): Promise<void> => {
    try {
      await close();
    } catch (error) {
      fail(error);
    }
  };
  // A result is made visible only after the reasons of what it lacks are on the disk.
  await attempt(() => deadLetters.close());
  for (const task of [...tasks].reverse()) await attempt(() => task.close(outcome()));
  if (release !== undefined) await attempt(release);
}
