/**
 * Removes runs that ended long ago, with their folders, and the history of the same age.
 *
 * Guarantees: a run that is at work, or that the command line has started, is never removed; the folder is removed
 * before the row, so a server that dies in between removes the rest later. A folder with a file that is not of a run is
 * left, and keeps its row.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../model/errors.js';
import { removeBroken } from '../storage/broken-run.js';
import type { ServerStore } from './store/server-store.js';

export interface RetentionPorts {
  readonly store: ServerStore;
  /** The folder of runs, and the folder of the output of their processes; absolute. */
  readonly runs: string;
  readonly output: string;
  readonly onError: (error: unknown) => void;
}

/** The most runs that one call removes, so that a pass does not wait long. */
const AT_ONCE = 50;

/** Removes runs that ended before this moment; returns their number. A further call removes further runs. */
export async function removeOld({ store, runs, output, onError }: RetentionPorts, before: number): Promise<number> {
  const old = await store.endedBefore(before, AT_ONCE);
  let removed = 0;
  for (const { id } of old) {
    try {
      const path = join(runs, id);
      if (existsSync(path)) await removeBroken({ runId: id, path });
      for (const name of readdirSync(output)) {
        if (name.startsWith(`${id}-`)) rmSync(join(output, name), { force: true });
      }
      await store.removeRun(id);
      removed++;
    } catch (error) {
      // It is at work again, by the command line.
      if (codeOf(error) !== 'MILLRACE_LOCKED') onError(error);
    }
  }
  if (old.length < AT_ONCE) await store.forget(before);
  return removed;
}
