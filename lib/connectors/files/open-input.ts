/**
 * The bytes of an open file as they are stored: of the disk, of a pipe or a device, or of a store.
 *
 * Guarantees: a chunk has at most `chunkBytes` bytes, and its memory is never reused. A file that changes while it is
 * read is an error at the latest at its end. `close` releases the file at any time.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { MillraceError } from '../../connect/values.js';
import { fileError, InputFacts, systemCodeOf, type FileStore, type InputVersion } from '../../connect/files.js';
import { storeOf } from './file-place.js';

export interface InputOptions {
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme. */
  readonly store?: FileStore | undefined;
  /** Bytes read at a time. */
  readonly chunkBytes: number;
  /** Only these bytes of the file, `end` not included. */
  readonly byteRange: { readonly start: number; readonly end: number } | undefined;
  /** The version that the file had in an earlier reading. Another version is an error. */
  readonly version: InputVersion | undefined;
  /** Ends the wait for a pipe whose writer is silent, with MILLRACE_ABORTED. */
  readonly signal?: AbortSignal | undefined;
}

/** An open file. */
export interface OpenInput {
  /** The version of the file; undefined for a pipe or a device. */
  readonly version: InputVersion | undefined;
  /** The next bytes, or null at the end. */
  next(): Promise<Buffer | null>;
  /** The first `count` bytes of a file. Undefined if they can only be read once. */
  readonly head?: ((count: number) => Promise<Buffer>) | undefined;
  /** Throws MILLRACE_FILE if the file has changed since it was opened. */
  assertUnchanged(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file of the disk or of a store. Throws MILLRACE_FILE. */
export async function openInput(options: InputOptions): Promise<OpenInput> {
  const store = await storeOf(options.path, options.store);
  return store === undefined ? DiskInput.open(options) : openStored(store, options);
}

/** Throws MILLRACE_ABORTED once the signal has aborted. */
export function throwIfAborted({ path, signal }: Pick<InputOptions, 'path' | 'signal'>): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Reading ${path} was cancelled`, { cause: signal.reason });
}

/** The time between two attempts to read from a pipe whose writer is slow, in milliseconds. */
const PIPE_DELAY_MS = 10;

class DiskInput implements OpenInput {
  readonly head: ((count: number) => Promise<Buffer>) | undefined;
  private readonly options: InputOptions;
  private readonly file: FileHandle;
  private readonly facts: InputFacts;
  private readonly isPipe: boolean;
  private readonly start: number;
  private at: number;
  private isOver = false;
  private isClosed = false;

  private constructor(options: InputOptions, file: FileHandle, facts: InputFacts, kind: 'file' | 'pipe' | 'device') {
    this.options = options;
    this.file = file;
    this.facts = facts;
    this.isPipe = kind === 'pipe';
    this.start = this.at = options.byteRange?.start ?? 0;
    this.head = kind === 'file' ? (count) => this.firstBytes(count) : undefined;
  }

  static async open(options: InputOptions): Promise<DiskInput> {
    const { path, version } = options;
    let file: FileHandle | undefined;
    try {
      // Without blocking: a thread that waits for the writer of a pipe could not be stopped.
      file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await file.stat();
      if (stats.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
      const facts = await InputFacts.of(path, file, version);
      return new DiskInput(options, file, facts, stats.isFile() ? 'file' : stats.isFIFO() ? 'pipe' : 'device');
    } catch (error) {
      await file?.close().catch(() => undefined);
      throw fileError('read', path, error);
    }
  }

  get version(): InputVersion | undefined {
    return this.facts.version;
  }

  async next(): Promise<Buffer | null> {
    if (this.isOver) return null;
    const { path, byteRange, chunkBytes } = this.options;
    const size = byteRange === undefined ? chunkBytes : Math.min(chunkBytes, byteRange.end - this.at);
    const isRange = byteRange !== undefined && byteRange.end < (this.version?.size ?? 0);
    try {
      const bytes = size <= 0 ? Buffer.alloc(0) : await this.readSome(size);
      this.at += bytes.length;
      if (bytes.length > 0) return bytes;
      this.isOver = true;
      if (this.isClosed) return null;
      await this.assertUnchanged();
      if (!isRange) this.facts.assertRead(this.at);
      return null;
    } catch (error) {
      throw fileError('read', path, error);
    }
  }

  assertUnchanged(): Promise<void> {
    return this.facts.assertUnchanged(this.file);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return this.file.close();
  }

  private async firstBytes(count: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.file.read(Buffer.allocUnsafe(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  }

  private async readSome(size: number): Promise<Buffer> {
    // A pipe has no offsets, so its bytes are read in their order.
    const hasOffsets = this.version !== undefined;
    while (!this.isClosed) {
      try {
        const position = hasOffsets ? this.at : null;
        const { bytesRead, buffer } = await this.file.read(Buffer.allocUnsafe(size), 0, size, position);
        // A pipe that no program has opened for writing yet also returns no bytes.
        if (bytesRead > 0 || !this.isPipe || this.at > this.start) return buffer.subarray(0, bytesRead);
      } catch (error) {
        if (systemCodeOf(error) !== 'EAGAIN') throw error;
      }
      await delay(PIPE_DELAY_MS);
      throwIfAborted(this.options);
    }
    return Buffer.alloc(0);
  }
}

/** A store checks the version with each read, so there is nothing to compare at the end. */
async function openStored(
  store: FileStore,
  { path, chunkBytes, byteRange, version, signal }: InputOptions,
): Promise<OpenInput> {
  const input = await store.open(path, { start: byteRange?.start ?? 0, version: version?.changedAt, signal });
  let ahead: Buffer = Buffer.alloc(0);
  let isClosed = false;
  return {
    version: { file: path, size: input.file.size, changedAt: input.file.version },
    next: async () => {
      if (ahead.length === 0) {
        const bytes = isClosed ? null : await input.read();
        if (bytes === null) return null;
        ahead = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      }
      const chunk = ahead.subarray(0, chunkBytes);
      ahead = ahead.subarray(chunk.length);
      return chunk;
    },
    assertUnchanged: () => Promise.resolve(),
    close: async () => {
      isClosed = true;
      await input.close();
    },
  };
}
