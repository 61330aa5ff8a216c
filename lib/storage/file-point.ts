/**
 * A point in a file that a resumed run can return to: the length of the file, and a hash of its last bytes at that
 * time.
 *
 * Guarantees: the return removes the bytes after the point, and no byte before it. A file that is shorter, or has
 * become another file, is refused, because data that the checkpoint relies on is lost.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';

/** `tail` is a hash of up to 1 KiB before the point. Plain data. */
export type FilePoint = {
  /** The length of the file, in bytes. */
  readonly bytes: number;
  /** The hash. */
  readonly tail: string;
};

const TAIL_BYTES = 1024;

/** The point after `bytes` bytes of a file that is at least that long. The handle must be open for reading too. */
export async function pointAt(handle: FileHandle, bytes: number): Promise<FilePoint> {
  const length = Math.min(TAIL_BYTES, bytes);
  const buffer = Buffer.alloc(length);
  if (length > 0) await handle.read(buffer, 0, length, bytes - length);
  return { bytes, tail: createHash('sha256').update(buffer).digest('hex').slice(0, 16) };
}

/**
 * Opens the file for writing and cuts it off at the point. Throws MILLRACE_RESUME if the file does not match the point.
 */
export async function reopenAt(path: string, point: FilePoint): Promise<FileHandle> {
  const handle = await openExisting(path, 'r+');
  try {
    await compare(handle, path, point);
    await handle.truncate(point.bytes);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Throws MILLRACE_RESUME if the file does not match the point. Changes nothing. */
export async function assertHolds(path: string, point: FilePoint): Promise<void> {
  const handle = await openExisting(path, 'r');
  try {
    await compare(handle, path, point);
  } finally {
    await handle.close();
  }
}

async function compare(handle: FileHandle, path: string, point: FilePoint): Promise<void> {
  const { size } = await handle.stat();
  if (size < point.bytes) {
    throw lost(path, `it is ${size} bytes long, and the checkpoint counts on ${point.bytes}`);
  }
  if ((await pointAt(handle, point.bytes)).tail !== point.tail) {
    throw lost(path, `the bytes before byte ${point.bytes} are not what this run wrote`);
  }
}

/** Whether the file is exactly as long as the point, with the same tail. */
export async function endsAt(path: string, point: FilePoint): Promise<boolean> {
  const handle = await open(path, 'r').catch(() => undefined);
  if (handle === undefined) return false;
  try {
    const { size } = await handle.stat();
    return size === point.bytes && (await pointAt(handle, size)).tail === point.tail;
  } finally {
    await handle.close();
  }
}

async function openExisting(path: string, flags: 'r' | 'r+'): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw lost(path, 'the file does not exist any more');
    throw error;
  }
}

function lost(path: string, what: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Cannot go on with ${path}: ${what}. Put the file back as it was, or start a new run`,
  );
}
