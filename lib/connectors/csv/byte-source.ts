/**
 * The bytes of a CSV file, pulled chunk by chunk: opens the file, decompresses a .gz file, and checks the format.
 *
 * Guarantees: the bytes are text in UTF-8, or in Latin-1 if the options declare that, without a byte order mark. Memory
 * is one chunk plus the buffers of zlib. A file of another format than declared (gzip, an archive, UTF-16) is refused
 * before its first row, and the error names the fix. `close` releases the file at any time.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MillraceError } from '../../model/errors.js';
import { fileError, messageOf, systemCodeOf } from '../../connect/files.js';

export type CsvEncoding = 'utf8' | 'utf16le' | 'latin1';

export interface ByteSourceOptions {
  readonly path: string;
  readonly encoding: CsvEncoding;
  /** Bytes read from the file at a time. */
  readonly chunkBytes: number;
  /** Only these bytes of the file, `end` not included. */
  readonly byteRange: { readonly start: number; readonly end: number } | undefined;
}

export interface ByteSource {
  /** The number of bytes before the first chunk that are not returned: those of a byte order mark. */
  readonly skippedBytes: number;
  /** Returns the next bytes, or null at the end. A chunk is never empty and its memory is never reused. */
  next(): Promise<Buffer | null>;
  close(): Promise<void>;
}

type Pull = () => Promise<Buffer | null>;

export async function openByteSource(options: ByteSourceOptions): Promise<ByteSource> {
  const { path, byteRange } = options;
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    if ((await file.stat()).isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    const source = isPacked(path) ? unpack(file, options) : plain(file, options);
    const first = await source.pull();
    if (byteRange !== undefined && byteRange.start > 0) return lead(first, 0, source);
    if (first !== null) refuseOtherFormats(first, path, options.encoding);
    if (options.encoding === 'utf16le') return lead(null, 0, { ...source, pull: fromUtf16(first, source.pull, path) });
    const skipped = first?.subarray(0, 3).equals(UTF8_MARK) === true ? 3 : 0;
    return lead(skipped === 0 ? first : (first?.subarray(skipped) ?? null), skipped, source);
  } catch (error) {
    await file?.close().catch(() => undefined);
    throw fileError('read', path, error);
  }
}

/** Whether a file of this name is compressed with gzip. */
export function isPacked(path: string): boolean {
  return path.toLowerCase().endsWith('.gz');
}

/** Returns the first chunk, which was read to check the format, before the other chunks. */
function lead(first: Buffer | null, skippedBytes: number, source: { pull: Pull; close(): Promise<void> }): ByteSource {
  let ahead = first;
  return {
    skippedBytes,
    async next() {
      let chunk = ahead ?? (await source.pull());
      ahead = null;
      while (chunk?.length === 0) chunk = await source.pull();
      return chunk;
    },
    close: () => source.close(),
  };
}

function plain(
  file: FileHandle,
  { path, chunkBytes, byteRange }: ByteSourceOptions,
): { pull: Pull; close(): Promise<void> } {
  let at = byteRange?.start ?? null;
  let isFirst = true;
  const pull: Pull = async () => {
    // The first chunk is used to recognise the format, so it needs at least four bytes.
    const wanted = isFirst ? Math.max(chunkBytes, 4) : chunkBytes;
    const size = at === null || byteRange === undefined ? wanted : Math.min(wanted, byteRange.end - at);
    isFirst = false;
    if (size <= 0) return null;
    try {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, at);
      if (at !== null) at += bytesRead;
      return bytesRead === 0 ? null : buffer.subarray(0, bytesRead);
    } catch (error) {
      throw fileError('read', path, error);
    }
  };
  return { pull, close: () => file.close() };
}

function unpack(file: FileHandle, { path, chunkBytes }: ByteSourceOptions): { pull: Pull; close(): Promise<void> } {
  const packed = file.createReadStream({ highWaterMark: chunkBytes, autoClose: false });
  const unpacked = createGunzip({ chunkSize: Math.max(64, chunkBytes) });
  // The iterator throws every error. The callback exists because a pipeline needs one.
  pipeline(packed, unpacked, () => undefined);
  const chunks = unpacked[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const pull: Pull = async () => {
    try {
      const step = await chunks.next();
      return step.done === true ? null : step.value;
    } catch (error) {
      const isDamaged = systemCodeOf(error)?.startsWith('Z_') === true;
      if (!isDamaged) throw fileError('read', path, error);
      throw new MillraceError(
        'MILLRACE_CSV',
        `${path} is not a sound gzip file (${messageOf(error)}): pack it again, or rename it if it is plain text`,
        { cause: error },
      );
    }
  };
  const close = async (): Promise<void> => {
    packed.destroy();
    unpacked.destroy();
    await file.close();
  };
  return { pull, close };
}

/** Converts UTF-16 to UTF-8, the encoding that the rest of the reader works on. */
function fromUtf16(first: Buffer | null, pull: Pull, path: string): Pull {
  const decoder = new TextDecoder('utf-16le', { fatal: true });
  let ahead = first;
  let offset = 0;
  let isOver = false;
  return async () => {
    if (isOver) return null;
    const chunk = ahead ?? (await pull());
    ahead = null;
    isOver = chunk === null;
    try {
      const text = chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
      offset += chunk?.length ?? 0;
      return Buffer.from(text, 'utf8');
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_CSV',
        `${path} is not UTF-16 LE (near byte ${offset}): set the option \`encoding\` to what it is`,
        { cause: error },
      );
    }
  };
}

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

function refuseOtherFormats(first: Buffer, path: string, encoding: CsvEncoding): void {
  const refuse = (what: string): never => {
    throw new MillraceError('MILLRACE_CSV', `${path} ${what}`);
  };
  const starts = (...bytes: number[]): boolean => bytes.every((byte, i) => first[i] === byte);
  if (starts(0x1f, 0x8b)) {
    refuse(
      isPacked(path)
        ? 'is gzip within gzip: unpack it once'
        : 'is gzip, although its name does not say so: rename it to end in .gz, or unpack it',
    );
  }
  if (starts(0x50, 0x4b, 0x03, 0x04)) {
    refuse('is a ZIP archive or an Excel workbook, not CSV: unpack it, or save it as CSV');
  }
  if (starts(0xfe, 0xff)) refuse('is UTF-16 BE, which is not read: convert it to UTF-8');
  if (encoding === 'utf16le') {
    if (starts(0xef, 0xbb, 0xbf)) refuse('is UTF-8, not UTF-16: leave out the option `encoding`');
    return;
  }
  if (starts(0xff, 0xfe) || looksLikeUtf16(first)) refuse("is UTF-16: set the option `encoding` to 'utf16le'");
  if (encoding === 'latin1' && starts(0xef, 0xbb, 0xbf))
    refuse('is UTF-8, not Latin-1: leave out the option `encoding`');
}

/** Recognises UTF-16 without a byte order mark: in western text every second byte is zero. */
function looksLikeUtf16(bytes: Buffer): boolean {
  const count = Math.min(bytes.length, 64) & ~1;
  if (count < 4) return false;
  for (let i = 0; i < count; i += 2) {
    if (bytes[i] === 0 || bytes[i + 1] !== 0) return false;
  }
  return true;
}
