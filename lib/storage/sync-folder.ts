/** Names outlive the loss of power only once their folder was synced: syncing a file does not sync its name (fsync(2)). */
import { open, type FileHandle } from 'node:fs/promises';

/** Systems and file systems that cannot sync a folder say so by one of these. */
const UNSUPPORTED = ['EACCES', 'EINVAL', 'EISDIR', 'ENOSYS', 'ENOTSUP', 'EPERM'];

/** Makes the names in the folder durable, where the system lets a folder be synced. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(folder, 'r');
    await handle.sync();
  } catch (error) {
    if (!UNSUPPORTED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}
