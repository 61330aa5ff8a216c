/**
 * The bytes of a text file, pulled chunk by chunk: opens the file, decompresses a .gz file, checks the format, and
 * checks at the end that the file has not changed.
 *
 * Guarantees: the bytes are text in UTF-8, or in the declared encoding if that has one byte per character, without a
 * byte order mark. Memory is one chunk plus the buffers of zlib. A file of another format than declared (gzip, an
 * archive, another encoding) is refused before its first row, and the error names the fix. A file that changes while it
 * is read is an error. `close` releases the file at any time.
 */
import { isUtf8 } from 'node:buffer';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { MillraceError, type ErrorCode } from '../../connect/values.js';
import { fileError, messageOf, systemCodeOf, type InputVersion } from '../../connect/files.js';
import { openInput, type InputOptions, type OpenInput } from './open-input.js';
import type { TextEncoding } from './text-encoding.js';

/** The format that a file is declared to have, for messages. */
export interface FileFormat {
  /** The name of the format: `CSV`. */
  readonly name: string;
  /** The code of errors about files of this format. */
  readonly code: ErrorCode;
}

export interface ByteSourceOptions extends InputOptions {
  readonly format: FileFormat;
  readonly encoding: TextEncoding;
}

export interface ByteSource {
  /** Returns the next bytes, or null at the end. A chunk is never empty and its memory is never reused. */
  next(): Promise<Buffer | null>;
}

type Pull = () => Promise<Buffer | null>;

/** The number of bytes that are read before the format is checked. */
const LEAD_BYTES = 64;
/** The number of bytes of a file in which the encoding is checked. */
const SAMPLE_BYTES = 64 * 1024;
/** A byte source with the facts about its file. */
export class OpenByteSource implements ByteSource {
  /** The number of bytes before the next one that were not returned: those of a byte order mark and of `skip`. */
  skippedBytes = 0;
  /** The version of the file; undefined for anything but a regular file. */
  readonly version: InputVersion | undefined;
  private readonly pull: Pull;
  private readonly release: () => Promise<void>;
  private ahead: Buffer | null = null;
  /** An error that came after the bytes ahead. */
  private failure: unknown;

  constructor(parts: { readonly pull: Pull; close(): Promise<void>; readonly version: InputVersion | undefined }) {
    this.pull = parts.pull;
    this.release = () => parts.close();
    this.version = parts.version;
  }

  async next(): Promise<Buffer | null> {
    const { ahead } = this;
    this.ahead = null;
    if (ahead !== null && ahead.length > 0) return ahead;
    if (this.failure !== undefined) throw this.failure;
    return this.pullSome();
  }

  /**
   * Returns the next bytes without consuming them: at least `count`, unless the input ends before or `isEnough` returns
   * true. Pass `isEnough` for input that may come from a pipe, because its rows must not wait for later ones.
   */
  async peek(count: number, isEnough: (bytes: Buffer) => boolean = () => false): Promise<Buffer> {
    const chunks = this.ahead === null ? [] : [this.ahead];
    let length = this.ahead?.length ?? 0;
    while (length < count && this.failure === undefined) {
      if (length > 0 && isEnough(Buffer.concat(chunks))) break;
      const chunk = await this.pullSome().catch((error: unknown) => {
        if (length === 0) throw error;
        this.failure = error;
        return null;
      });
      if (chunk === null) break;
      chunks.push(chunk);
      length += chunk.length;
    }
    return (this.ahead = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
  }

  /** Skips bytes that `peek` has returned. */
  skip(count: number): void {
    this.ahead = this.ahead?.subarray(count) ?? null;
    this.skippedBytes += count;
  }

  close(): Promise<void> {
    return this.release();
  }

  private async pullSome(): Promise<Buffer | null> {
    let chunk = await this.pull();
    while (chunk?.length === 0) chunk = await this.pull();
    return chunk;
  }
}

export async function openByteSource(options: ByteSourceOptions): Promise<OpenByteSource> {
  const { path, byteRange, encoding, format } = options;
  const input = await openInput(options);
  try {
    const { version } = input;
    const raw = { pull: () => input.next(), close: () => input.close() };
    const unpacked = isPacked(path) ? unpack(raw, input, options) : raw;
    const source = new OpenByteSource({ ...unpacked, version });
    if (byteRange !== undefined && byteRange.start > 0) return source;
    const lead = await source.peek(LEAD_BYTES, version === undefined ? isUnambiguous : undefined);
    if (lead.length > 0) refuseOtherFormats(lead, options);
    if (encoding.isConverted) {
      return new OpenByteSource({
        pull: converted(() => source.next(), options),
        close: () => source.close(),
        version,
      });
    }
    if (encoding.isUtf8 && !isPacked(path) && version !== undefined) {
      const sample = await (input.head?.(SAMPLE_BYTES) ?? source.peek(SAMPLE_BYTES));
      refuseOtherEncodings(completeLines(sample.subarray(0, SAMPLE_BYTES)), path, format.code);
    }
    if (lead.subarray(0, 3).equals(UTF8_MARK)) source.skip(3);
    return source;
  } catch (error) {
    await input.close().catch(() => undefined);
    throw fileError('read', path, error);
  }
}

/** Whether a file of this name is compressed with gzip. */
export function isPacked(path: string): boolean {
  return path.toLowerCase().endsWith('.gz');
}

function unpack(
  raw: { readonly pull: Pull; close(): Promise<void> },
  input: OpenInput,
  { path, chunkBytes, format }: ByteSourceOptions,
): { pull: Pull; close(): Promise<void> } {
  const packed = Readable.from(chunksOf(raw.pull), { highWaterMark: 1 });
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
      await input.assertUnchanged();
      throw new MillraceError(
        format.code,
        `${path} is not a valid gzip file (${messageOf(error)}): compress it again, or rename it if it is plain text`,
        { cause: error },
      );
    }
  };
  const close = async (): Promise<void> => {
    packed.destroy();
    unpacked.destroy();
    await raw.close();
  };
  return { pull, close };
}

async function* chunksOf(pull: Pull): AsyncGenerator<Buffer> {
  for (let chunk = await pull(); chunk !== null; chunk = await pull()) yield chunk;
}

/** Converts to UTF-8, the encoding that the rest of the reader expects. */
function converted(pull: Pull, { path, encoding, format }: ByteSourceOptions): Pull {
  const decoder = new TextDecoder(encoding.name, { fatal: true });
  let offset = 0;
  let isOver = false;
  return async () => {
    if (isOver) return null;
    const chunk = await pull();
    isOver = chunk === null;
    try {
      const text = chunk === null ? decoder.decode() : decoder.decode(chunk, { stream: true });
      offset += chunk?.length ?? 0;
      return Buffer.from(text, 'utf8');
    } catch (error) {
      throw new MillraceError(
        format.code,
        `${path} is not ${titleOf(encoding)} (near byte ${offset}): set the option \`encoding\` to the encoding of the file`,
        { cause: error },
      );
    }
  };
}

function titleOf({ name }: TextEncoding): string {
  if (name === 'utf-16le') return 'UTF-16 LE';
  return name === 'utf-16be' ? 'UTF-16 BE' : name;
}

/** True if these bytes cannot be the beginning of a known signature. */
function isUnambiguous(bytes: Buffer): boolean {
  return !SIGNATURES.some((one) => bytes.length < one.length && bytes.equals(one.subarray(0, bytes.length)));
}

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const SIGNATURES = [
  UTF8_MARK,
  Buffer.from([0x1f, 0x8b]),
  Buffer.from([0x50, 0x4b, 0x03, 0x04]),
  Buffer.from([0xfe, 0xff]),
  Buffer.from([0xff, 0xfe]),
];

function refuseOtherFormats(first: Buffer, { path, encoding, format }: ByteSourceOptions): void {
  const refuse = (what: string): never => {
    throw new MillraceError(format.code, `${path} ${what}`);
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
    refuse(`is a ZIP archive or an Excel workbook, not ${format.name}: unpack it, or save it as ${format.name}`);
  }
  const { name } = encoding;
  const isWide = name === 'utf-16le' || name === 'utf-16be';
  if (isWide && starts(0xef, 0xbb, 0xbf)) refuse('is UTF-8, not UTF-16: leave out the option `encoding`');
  if (name !== 'utf-16be' && (starts(0xfe, 0xff) || (!isWide && looksLikeUtf16(first, 1)))) {
    refuse("is UTF-16 BE: set the option `encoding` to 'utf-16be'");
  }
  if (name !== 'utf-16le' && (starts(0xff, 0xfe) || (!isWide && looksLikeUtf16(first, 0)))) {
    refuse("is UTF-16: set the option `encoding` to 'utf16le'");
  }
  if (!isWide && name !== 'utf-8' && starts(0xef, 0xbb, 0xbf)) {
    refuse(`is UTF-8, not ${name}: leave out the option \`encoding\``);
  }
}

/** Recognises UTF-16 without a byte order mark: in western text every second byte is zero. */
function looksLikeUtf16(bytes: Buffer, textAt: 0 | 1): boolean {
  const count = Math.min(bytes.length, 64) & ~1;
  if (count < 4) return false;
  for (let i = 0; i < count; i += 2) {
    if (bytes[i + textAt] === 0 || bytes[i + 1 - textAt] !== 0) return false;
  }
  return true;
}

/** The complete lines of a sample. */
function completeLines(sample: Buffer): Buffer {
  return sample.length < SAMPLE_BYTES ? sample : sample.subarray(0, sample.lastIndexOf(0x0a) + 1);
}

/**
 * Refuses a file whose characters are mostly not UTF-8. A single damaged row among rows in UTF-8 is not refused here:
 * the reader reports it as a bad row.
 */
function refuseOtherEncodings(sample: Buffer, path: string, code: ErrorCode): void {
  if (isUtf8(sample)) return;
  const text = sample.toString('utf8');
  const invalid = text.match(/\uFFFD/g)?.length ?? 0;
  const valid = text.match(/[^\0-\x7f\uFFFD]/gu)?.length ?? 0;
  if (invalid <= valid) return;
  const at = firstInvalidByte(sample) ?? 0;
  const line = 1 + (sample.toString('latin1', 0, at).match(/\r\n|\r|\n/g)?.length ?? 0);
  const byte = (sample[at] ?? 0).toString(16).padStart(2, '0').toUpperCase();
  throw new MillraceError(
    code,
    `${path}, line ${line}: byte 0x${byte} (byte ${at} of the file) is not UTF-8; ` +
      "set the option `encoding` to the encoding of the file, such as 'windows-1252', or convert the file",
  );
}

/**
 * The index of the first byte that is not UTF-8. The decoder replaces it by U+FFFD; a U+FFFD that is in the file itself
 * is skipped.
 */
export function firstInvalidByte(bytes: Buffer): number | undefined {
  const text = bytes.toString('utf8');
  let at = 0;
  let from = 0;
  for (let i = text.indexOf('\uFFFD'); i >= 0; i = text.indexOf('\uFFFD', from)) {
    at += Buffer.byteLength(text.slice(from, i));
    if (!(bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd)) return at;
    at += 3;
    from = i + 1;
  }
  return undefined;
}
