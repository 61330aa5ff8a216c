/**
 * Parts of what the processes of runs have printed.
 *
 * Guarantees: memory holds one part, whatever the size of the file; parts that follow each other make up the text of the
 * file, because none ends within a character.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { stripVTControlCharacters } from 'node:util';
import { printable } from '../../text/printable.js';

/** Places in bytes from the start of the file. */
export interface OutputPart {
  readonly text: string;
  readonly from: number;
  readonly to: number;
  /** The size of the file. */
  readonly size: number;
}

/** At most one of the members; none for the end of the file. */
export interface OutputQuery {
  /** The part ends here. */
  readonly before?: number | undefined;
  /** The part begins here. */
  readonly after?: number | undefined;
}

/** The most bytes of a part. */
const PART_BYTES = 64 * 1024;
const BLOCK_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/** A part of the file. Without a file, an empty one. It begins with a line, unless it begins at `after`. */
export async function readOutput(path: string, { before, after }: OutputQuery = {}): Promise<OutputPart> {
  return withFile(path, async (file, size) => {
    if (after !== undefined) {
      const from = Math.min(after, size);
      const bytes = await readBytes(file, from, Math.min(size, from + PART_BYTES));
      return partOf(bytes.subarray(0, wholeLength(bytes, from + bytes.length === size)), from, size);
    }
    const to = Math.min(before ?? size, size);
    const first = Math.max(0, to - PART_BYTES);
    const bytes = await readBytes(file, first, to);
    const skipped = first === 0 ? 0 : startOfLine(bytes);
    return partOf(bytes.subarray(skipped), first + skipped, size);
  });
}

/**
 * The part that begins with the last line before a place (default: the end of the file) that contains the text. An
 * empty part at 0 if there is none.
 */
export async function findInOutput(path: string, text: string, before?: number): Promise<OutputPart> {
  const wanted = Buffer.from(text);
  const line = await withFile(path, async (file, size) => {
    let to = Math.min(before ?? size, size);
    let found: number | undefined;
    while (to > 0) {
      const from = Math.max(0, to - BLOCK_BYTES);
      const bytes = await readBytes(file, from, to);
      if (found === undefined) {
        const at = bytes.lastIndexOf(wanted);
        if (at >= 0) found = from + at;
      }
      if (found !== undefined) {
        const start = bytes.subarray(0, Math.max(0, found - from)).lastIndexOf(LINE_FEED);
        if (start >= 0 || from === 0) return { from: from + start + 1, size };
        to = from;
      } else {
        // The text may lie across two blocks.
        if (from === 0) break;
        to = Math.min(to - 1, from + wanted.length - 1);
      }
    }
    return { from: -1, size };
  });
  if (line.from < 0) return { text: '', from: 0, to: 0, size: line.size };
  return readOutput(path, { after: line.from });
}

async function withFile<Result>(
  path: string,
  work: (file: FileHandle, size: number) => Promise<Result>,
): Promise<Result | { text: string; from: number; to: number; size: number }> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return { text: '', from: 0, to: 0, size: 0 };
  try {
    return await work(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

async function readBytes(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, to - from));
  const { bytesRead } = await file.read(bytes, 0, bytes.length, from);
  return bytes.subarray(0, bytesRead);
}

function partOf(bytes: Buffer, from: number, size: number): OutputPart {
  return { text: shownText(bytes.toString('utf8')), from, to: from + bytes.length, size };
}

/** Text without colours and other control sequences. Marks that would hide or reorder text are written as escapes. */
function shownText(text: string): string {
  const plain = stripVTControlCharacters(text).replace(/\r\n?/g, '\n');
  return plain.replace(/[^\n\t]+/g, printable);
}

/** The place after the first line feed; without one, the first place that is not within a character. */
function startOfLine(bytes: Buffer): number {
  const feed = bytes.indexOf(LINE_FEED);
  if (feed >= 0) return feed + 1;
  let at = 0;
  while (at < 4 && isWithin(bytes[at])) at++;
  return at;
}

/** The length of the lines; with a line longer than the part, or at the end of the file, of the whole characters. */
function wholeLength(bytes: Buffer, isEnd: boolean): number {
  const feed = isEnd ? -1 : bytes.lastIndexOf(LINE_FEED);
  if (feed >= 0) return feed + 1;
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isWithin(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Whether a byte of UTF-8 continues a character. */
function isWithin(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
