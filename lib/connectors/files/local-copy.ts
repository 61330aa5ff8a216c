/** Copies files between a store and the disk, for programs that read and write only files of the disk. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileError, type FileStore } from '../../connect/files.js';

/** The bytes that are read from the disk at a time. */
const CHUNK_BYTES = 2 ** 20;

/** A folder for copies. `remove` removes it with all that is in it. */
export interface CopyFolder {
  readonly path: string;
  remove(): Promise<void>;
}

export async function newCopyFolder(): Promise<CopyFolder> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Copies a file of a store to a new file of the disk. Throws MILLRACE_FILE. */
export async function download(store: FileStore, from: string, to: string, signal?: AbortSignal): Promise<void> {
  const input = await store.open(from, { start: 0, signal });
  try {
    const file = await open(to, 'w');
    try {
      for (let bytes = await input.read(); bytes !== null; bytes = await input.read()) await file.writeFile(bytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError('write', to, error);
  } finally {
    await input.close();
  }
}

/** Copies a file of the disk to a store, where it appears when it is complete. Throws MILLRACE_FILE. */
export async function upload(store: FileStore, from: string, to: string, signal?: AbortSignal): Promise<void> {
  const output = await store.create(to, { from: undefined, signal });
  try {
    const file = await open(from, 'r');
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, null);
        if (bytesRead === 0) break;
        await output.write(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
    await output.finish();
  } catch (error) {
    await output.abandon().catch(() => undefined);
    throw fileError('write', to, error);
  }
}
