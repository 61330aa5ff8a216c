/**
 * Makes written data durable (fdatasync, fsync).
 *
 * Guarantees: it works where a package manager has put file handles of its own in place of those of Node (Yarn
 * Plug'n'Play), which cannot sync: then the file is synced by its number.
 */
import { fdatasync, fsync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemCodeOf } from './file-errors.js';

/** Resolves when the data of the file would survive a loss of power. */
export async function syncData(handle: FileHandle): Promise<void> {
  try {
    await handle.datasync();
  } catch (error) {
    if (systemCodeOf(error) !== undefined) throw error;
    await promisify(fdatasync)(handle.fd);
  }
}

/** The same for the data and the metadata of a file, or for the names in a folder. */
export async function syncAll(handle: FileHandle): Promise<void> {
  try {
    await handle.sync();
  } catch (error) {
    if (systemCodeOf(error) !== undefined) throw error;
    await promisify(fsync)(handle.fd);
  }
}
