/**
 * Checks tasks before any of them opens, so that a result whose folder is missing fails before the first call or row.
 *
 * Guarantees: nothing is opened or changed. The error is that of the first task that has one.
 */
import type { Checkpoint, Json } from '../../model/checkpoint.js';
import type { TaskDeclaration } from '../../tasks/flow.js';
import { checkMemo } from '../../memo/memory.js';
import { entry } from '../../text/entry.js';
import { blame } from '../wiring/task-failure.js';

/**
 * Returns undefined if no check is asynchronous.
 * @param positions the positions in the checkpoint from which the run would resume.
 */
export function checkTasks(
  declarations: readonly TaskDeclaration[],
  positions: Checkpoint['positions'] = {},
): Promise<void> | undefined {
  const checks = declarations.map(({ name, task }) => check(name, task, entry(positions, name)));
  const pending = checks.filter((each) => each !== undefined);
  if (pending.length === 0) return undefined;
  return inTurn(pending);
}

function check(name: string, task: TaskDeclaration['task'], position: Json | undefined): Promise<void> | undefined {
  const blamed = (error: unknown): unknown => blame(name, 'could not be opened', error);
  try {
    const checking = task.check?.(position);
    const { memo } = task;
    if (checking === undefined && memo === undefined) return undefined;
    return Promise.resolve(checking)
      .then(() => memo && checkMemo(memo))
      .catch((error: unknown) => Promise.reject(blamed(error) as Error));
  } catch (error) {
    return Promise.reject(blamed(error));
  }
}

async function inTurn(checks: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(checks)) if (result.status === 'rejected') throw result.reason as Error;
}
