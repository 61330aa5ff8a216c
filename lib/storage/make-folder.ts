/**
 * Makes a folder with its parents.
 *
 * Guarantees: it ends. The recursive `mkdir` of Node never returns, and blocks the process, where a file system answers
 * ENOENT although the parent exists, as `/proc` and some mounts do (Node 20 and 22).
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Returns when the folder exists. Throws the error of the file system, also if the path is a file (EEXIST).
 * @param mode that of the folders that are made. Default: what the process allows.
 */
export function makeFolder(path: string, mode?: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isFolder(path)) return;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || isFolder(parent)) throw error;
    makeFolder(parent, mode);
    makeFolder(path, mode);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
