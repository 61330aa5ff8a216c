/** Identifies an input file and its version, without reading a large file to its end. */
import { createHash } from 'node:crypto';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Json } from '../model/checkpoint.js';

const PREFIX_BYTES = 64 * 1024;

/** Files up to this size are read to identify their content, unless the caller passes another size. */
const MOST_CONTENT_BYTES = 256 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

/**
 * The path, the size in bytes, the time of the last change (milliseconds since 1970), a hash of the first 64 KiB and,
 * of a file up to `mostContentBytes` (256 MiB), a hash of the content. Null if the file cannot be read; the code that
 * reads it will report why.
 */
export async function identifyFile(path: string, mostContentBytes = MOST_CONTENT_BYTES): Promise<Json> {
  // A pipe is not opened: opening waits for its writer, and closing would then end the writer. So all pipes have the
  // same content here, and a run with a source that reads a pipe cannot be resumed.
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
    const content = facts.size > mostContentBytes ? undefined : await contentOf(file);
    const identity = { path: resolve(path), size: facts.size, changedAt: facts.mtimeMs, prefix };
    return content === undefined ? identity : { ...identity, content };
  } finally {
    await file.close();
  }
}

async function contentOf(file: FileHandle): Promise<string> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) return hash.digest('hex').slice(0, 32);
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}
