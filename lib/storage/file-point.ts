/**
 * A point in a file that a resumed run can go back to: how long the file was, and how it ended there.
 *
 * Promise: going back cuts off what was written after the point and nothing before it; a file that is shorter, or that
 * has become another one, is refused, because what was promised to be in it is lost.
 */
import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { MillraceError } from '../model/errors.js';

/** `tail` is a hash of up to 1 KiB in front of the point. Plain data. */
export type FilePoint = { readonly bytes: number; readonly tail: string };

const TAIL_BYTES = 1024;

/** The point `bytes` into a file that is that long at least. The handle must be open for reading too. */
export async function pointAt(handle: FileHandle, bytes: number): Promise<FilePoint> {
  const length = Math.min(TAIL_BYTES, bytes);
  const buffer = Buffer.alloc(length);
  if (length > 0) await handle.read(buffer, 0, length, bytes - length);
  return { bytes, tail: createHash('sha256').update(buffer).digest('hex').slice(0, 16) };
}

/** Opens the file for writing on from the point, cut off there. Throws MILLRACE_RESUME where it cannot be. */
export async function reopenAt(path: string, point: FilePoint): Promise<FileHandle> {
  const handle = await openExisting(path);
  try {
    const { size } = await handle.stat();
    if (size < point.bytes) {
      throw lost(path, `it is ${size} bytes long, and the checkpoint counts on ${point.bytes}`);
    }
    if ((await pointAt(handle, point.bytes)).tail !== point.tail) {
      throw lost(path, `what stands before byte ${point.bytes} is not what this run wrote`);
    }
    await handle.truncate(point.bytes);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Whether the file is exactly as long as the point says, and ends alike. */
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

async function openExisting(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw lost(path, 'it is not there any more');
    throw error;
  }
}

function lost(path: string, what: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Cannot go on with ${path}: ${what}. Put the file back as it was, or start a new run`,
  );
}
