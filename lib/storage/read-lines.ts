/**
 * Reads the lines of a file of JSON lines.
 *
 * Guarantees: only a line feed ends a line, so a text with U+2028, U+2029 or NEL stays one line. Memory holds one chunk
 * and one line.
 */
import type { FileHandle } from 'node:fs/promises';

/** One line, without its line feed. */
export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** True for a last line without a line feed. */
  readonly isTorn: boolean;
}

const CHUNK_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** The lines from the start of the file. The caller closes it. */
export async function* readLines(file: FileHandle): AsyncGenerator<Line> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let parts: Buffer[] = [];
  let number = 0;
  const line = (isTorn: boolean): Line => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    number++;
    return { text, number, isTorn };
  };
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    let from = 0;
    for (;;) {
      const end = chunk.subarray(0, bytesRead).indexOf(LINE_FEED, from);
      if (end < 0) break;
      parts.push(Buffer.from(chunk.subarray(from, end)));
      from = end + 1;
      yield line(false);
    }
    if (from < bytesRead) parts.push(Buffer.from(chunk.subarray(from, bytesRead)));
  }
  if (parts.length > 0) yield line(true);
}
