/**
 * Makes written data durable (fdatasync, fsync).
 *
 * Guarantees: it also works where a package manager (Yarn Plug'n'Play) replaces Node's file handles by its own, which
 * cannot sync. Then the file is synced by its descriptor number.
 */
import { fdatasync, fsync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { systemCodeOf } from './file-errors.js';

/** Resolves when the data of the file survives a loss of power. */
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
