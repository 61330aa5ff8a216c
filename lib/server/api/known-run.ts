/** The run that a request names, and its folder. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RunFolder } from '../../storage/run-folder.js';
import type { StoredRun } from '../runs/stored-run.js';
import { httpError, type Api } from './api.js';

export async function knownRun({ store }: Api, id: string): Promise<StoredRun> {
  const run = await store.run(id);
  if (run !== undefined) return run;
  throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `There is no run '${id}'`);
}

/** The folder of a known run. Refuses one with links in it. */
export async function folderOf(api: Api, id: string): Promise<RunFolder> {
  await knownRun(api, id);
  if (!existsSync(join(api.runs, id, 'manifest.json'))) {
    throw httpError(404, 'MILLRACE_UNKNOWN_RUN', `Run ${id} has no folder: it has not started, or was removed`);
  }
  const files = await readdir(join(api.runs, id), { withFileTypes: true });
  if (files.some((file) => file.isSymbolicLink())) throw linked(id);
  return RunFolder.open(api.runs, id);
}

/** A link could lead to any file that the server may read. */
export function linked(id: string): Error {
  return httpError(404, 'MILLRACE_FILE', `The folder of run ${id} has links in it, which are not followed`);
}
