/** Makes the content of a file durable. */
import { open } from 'node:fs/promises';
import { syncData } from '../../connect/files.js';

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncData(handle);
  } finally {
    await handle.close();
  }
}
