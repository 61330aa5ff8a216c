/**
 * What stands where something is to be written. Promise: looking changes nothing, and what is no regular file (a terminal,
 * `/dev/null`, a pipe) is not read.
 */
import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCodeOf } from './file-errors.js';

/** How much of a file is looked at, in bytes: its first line, or the beginning of a long one. */
const HEAD_BYTES = 64 * 1024;

/** The beginning of what stands there; '' where nothing does. Throws what the system says where it cannot be written. */
export async function headOf(path: string): Promise<string> {
  const facts = await stat(path).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (facts === undefined) {
    await access(dirname(path), constants.W_OK);
    return '';
  }
  if (facts.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
  await access(path, constants.W_OK);
  if (!facts.isFile()) return '';
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
