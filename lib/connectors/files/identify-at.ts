/** Distinguishes the file of a path from others, on the disk or in a store. */
import type { Json } from '../../connect/index.js';
import { identifyFile, type FileStore } from '../../connect/files.js';
import { storeOf } from './file-place.js';

/**
 * Returns plain data that differs when the content of the file differs: for the disk, the result of `identifyFile`; for
 * a store, the version in the store. Null if the file cannot be read; the code that reads it reports the reason.
 */
export async function identifyAt(path: string, given: FileStore | undefined, mostContentBytes?: number): Promise<Json> {
  const store = await storeOf(path, given);
  if (store === undefined) return identifyFile(path, mostContentBytes);
  const file = await store.find(path).catch(() => undefined);
  if (file === undefined) return null;
  return { path, size: file.size, changedAt: file.changedAt, content: file.version };
}
