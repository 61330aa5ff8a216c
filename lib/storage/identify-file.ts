/** Distinguishes an input file from other files, and from itself after a change, without reading all of it. */
import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Json } from '../model/checkpoint.js';

const PREFIX_BYTES = 64 * 1024;

/**
 * The path, the size in bytes, the time of the last change (milliseconds since 1970) and a hash of the first 64 KiB. Null if
 * the file cannot be read; the code that reads it will report why.
 */
export async function identifyFile(path: string): Promise<Json> {
  // A pipe is not opened: that would wait for its writer, and end the writer afterwards.
  const isOther = await stat(path).then(
    (facts) => !facts.isFile(),
    () => false,
  );
  if (isOther) return { path: resolve(path) };
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return null;
  try {
    const facts = await file.stat();
    const { bytesRead, buffer } = await file.read(Buffer.alloc(PREFIX_BYTES), 0, PREFIX_BYTES, 0);
    const prefix = createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex').slice(0, 32);
    return { path: resolve(path), size: facts.size, changedAt: facts.mtimeMs, prefix };
  } finally {
    await file.close();
  }
}
