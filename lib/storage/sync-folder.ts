/**
 * Syncs folders: a new name survives the loss of power only after its folder was synced; syncing the file is not enough
 * (fsync(2)).
 */
import { open, type FileHandle } from 'node:fs/promises';
import { syncAll } from './sync-data.js';

/** The error codes of systems and file systems that cannot sync a folder. */
const UNSUPPORTED = ['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM'];

/** Makes the names in the folder durable, if the system supports that. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await syncAll(handle);
  } catch (error) {
    if (!UNSUPPORTED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}
