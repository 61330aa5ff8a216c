/**
 * Text into a file, packed on the way where its name says so, with points in it that a later run can go on from.
 *
 * Promises: what waits for the disk is bounded by `BUFFER_BYTES` and one text, as long as `room` is heeded; a packed
 * file is cut into gzip members (RFC 1952, section 2.2) at its points, because the middle of one cannot be gone on from;
 * the first error is given to whoever waits, and to `flush` and `end`.
 */
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import type { WriteStream } from 'node:fs';
import { createGzip, type Gzip } from 'node:zlib';

/** Bytes that wait before `room` asks to wait. */
const BUFFER_BYTES = 256 * 1024;

export interface TextFileOptions {
  readonly isPacked: boolean;
  /** Where in the file to begin. */
  readonly start: number;
  /** Ends waiting for room. */
  readonly signal: AbortSignal | undefined;
}

export class TextFile {
  private readonly file: WriteStream;
  private readonly options: TextFileOptions;
  /** What packs the present member; undefined where nothing was put since the last point, or nothing is packed. */
  private packer: Gzip | undefined;
  /** Settles when all members before the present one are in the stream. */
  private members: Promise<unknown> = Promise.resolve();
  private needsRoom = false;
  private closing: Promise<void> | undefined;
  private failure: unknown;

  constructor(handle: FileHandle, options: TextFileOptions) {
    this.options = options;
    this.file = handle.createWriteStream({ autoClose: false, highWaterMark: BUFFER_BYTES, start: options.start });
    this.file.on('error', (error) => {
      this.fail(error);
    });
  }

  /** Bytes of the file that the system has taken. */
  get bytesWritten(): number {
    return this.options.start + this.file.bytesWritten;
  }

  put(text: string): void {
    const target = this.options.isPacked ? (this.packer ??= this.openMember()) : this.file;
    if (!target.write(Buffer.from(text))) this.needsRoom = true;
  }

  /** Undefined where there is room; else resolves when there is, and rejects where there never will be. */
  room(): Promise<void> | undefined {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return this.needsRoom ? this.wait() : undefined;
  }

  /** Hands everything put so far to the system; resolves with the length of the file up to there. */
  async flush(): Promise<number> {
    const length = (): number => this.options.start + this.file.bytesWritten + this.file.writableLength;
    const member = this.endMember();
    const bytes = member === undefined ? length() : await member.then(length);
    // The stream calls back when everything before this has been handed to the system.
    await new Promise<void>((resolve) => {
      this.file.write('', () => {
        resolve();
      });
    });
    this.throwIfFailed();
    return bytes;
  }

  async end(): Promise<void> {
    this.throwIfFailed();
    await this.endMember();
    this.throwIfFailed();
    this.file.end();
    // Not `finished`: it waits for a close, which comes after the sync.
    await once(this.file, 'finish');
  }

  /** Closes the handle, also while a write is under way. */
  /** May be called again. */
  close(): Promise<void> {
    return (this.closing ??= this.release());
  }

  private async release(): Promise<void> {
    this.packer?.destroy();
    // The stream holds on to the handle, so that closing the handle itself would wait for ever; destroying the stream
    // waits for a write that is under way, and closes both.
    const closed = new Promise<void>((resolve) => this.file.once('close', resolve));
    this.file.destroy();
    await closed;
  }

  private openMember(): Gzip {
    const packer = createGzip();
    packer.on('error', (error) => {
      this.fail(error);
    });
    // The next member may be put while the one before it still comes out of its packer.
    void this.members.then(() => packer.pipe(this.file, { end: false }));
    return packer;
  }

  /** Resolves when the member is whole in the stream; undefined where there is none. */
  private endMember(): Promise<unknown> | undefined {
    const { packer } = this;
    if (packer === undefined) return undefined;
    this.packer = undefined;
    packer.end();
    this.members = new Promise((resolve) => {
      packer.once('end', resolve);
      packer.once('close', resolve);
    });
    return this.members;
  }

  private async wait(): Promise<void> {
    const { signal } = this.options;
    signal?.throwIfAborted();
    const target = this.packer ?? this.file;
    if (target.writableNeedDrain) await once(target, 'drain', signal === undefined ? {} : { signal });
    this.throwIfFailed();
    this.needsRoom = false;
  }

  private fail(error: unknown): void {
    this.failure ??= error;
    // Whoever waits at the packer must hear of the file's error.
    this.packer?.destroy(error as Error);
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure as Error;
  }
}
