/** Copies of the store. The folders of runs are files already: copy them with the tools of the system. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerStore } from './server-store.js';
import { makeFolder } from '../../storage/make-folder.js';

const KEPT = 5;

/** Writes a copy into the folder, removes the oldest ones, and returns the path of the new one. */
export async function backUp(store: ServerStore, folder: string, now: number): Promise<string> {
  makeFolder(folder, 0o700);
  const path = join(folder, `state-${new Date(now).toISOString().replace(/[:.]/g, '-')}.db`);
  await store.backUp(path);
  const copies = readdirSync(folder)
    .filter((name) => /^state-[\dTZ-]+\.db$/.test(name))
    .sort();
  for (const name of copies.slice(0, -KEPT)) rmSync(join(folder, name));
  return path;
}
