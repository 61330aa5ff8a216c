/**
 * Writes text to a file, compressed with gzip if required, with points at which a later run can continue.
 *
 * Guarantees: the bytes that wait for the disk are limited to `BUFFER_BYTES` plus one text, if the caller awaits
 * `room`. A compressed file is a sequence of gzip members (RFC 1952, section 2.2) that end at the points, because a
 * writer cannot continue in the middle of a member. The first error rejects `room`, `flush` and `end`.
 */
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { createGzip, type Gzip } from 'node:zlib';
import { PipeStream } from './pipe-stream.js';

/** The number of waiting bytes from which `room` returns a promise. */
const BUFFER_BYTES = 256 * 1024;

export interface TextFileOptions {
  readonly isPacked: boolean;
  /** True for a device or a pipe, which has no offsets. */
  readonly isStream: boolean;
  /** The offset in the file at which to begin. */
  readonly start: number;
  /** Ends waiting for room. */
  readonly signal: AbortSignal | undefined;
}

export class TextFile {
  private readonly file: Writable & { readonly bytesWritten: number };
  private readonly options: TextFileOptions;
  /** Compresses the present member. Undefined if nothing was put since the last point or the file is not compressed. */
  private packer: Gzip | undefined;
  /** Settles when all members before the present one are in the stream. */
  private members: Promise<unknown> = Promise.resolve();
  private needsRoom = false;
  private closing: Promise<void> | undefined;
  private failure: unknown;
  /** Rejects at the first error. After an error, a stream does not call the callbacks of later writes. */
  private readonly failing: Promise<never>;
  private rejectFailing!: (error: unknown) => void;

  constructor(handle: FileHandle, options: TextFileOptions) {
    this.options = options;
    this.failing = new Promise<never>((_, reject) => {
      this.rejectFailing = reject;
    });
    // Most errors are reported in other ways, so an unhandled rejection here is not a fault.
    this.failing.catch(() => undefined);
    this.file = options.isStream
      ? new PipeStream(handle, BUFFER_BYTES)
      : handle.createWriteStream({ autoClose: false, highWaterMark: BUFFER_BYTES, start: options.start });
    this.file.on('error', (error) => {
      this.fail(error);
    });
  }

  /** The bytes of the file that the system has accepted. */
  get bytesWritten(): number {
    return this.options.start + this.file.bytesWritten;
  }

  put(text: string): void {
    const target = this.options.isPacked ? (this.packer ??= this.openMember()) : this.file;
    if (!target.write(Buffer.from(text))) this.needsRoom = true;
  }

  /** Undefined if there is room. Otherwise resolves when there is, and rejects after an error. */
  room(): Promise<void> | undefined {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return this.needsRoom ? this.wait() : undefined;
  }

  /** Passes everything put so far to the system. Resolves with the length of the file up to that point. */
  async flush(): Promise<number> {
    const length = (): number => this.options.start + this.file.bytesWritten + this.file.writableLength;
    const member = this.endMember();
    const bytes = member === undefined ? length() : await Promise.race([member.then(length), this.failing]);
    this.throwIfFailed();
    // The stream calls back when it has passed everything before this to the system.
    const passed = new Promise<void>((resolve) => {
      this.file.write('', () => {
        resolve();
      });
    });
    await Promise.race([passed, this.failing]);
    this.throwIfFailed();
    return bytes;
  }

  async end(): Promise<void> {
    this.throwIfFailed();
    await Promise.race([this.endMember(), this.failing]);
    this.throwIfFailed();
    this.file.end();
    // Not `finished`: it waits for the close, which comes after the sync.
    const { isStream, signal } = this.options;
    await once(this.file, 'finish', isStream && signal !== undefined ? { signal } : {});
  }

  /** Closes the handle, also during a write. May be called more than once. */
  close(): Promise<void> {
    return (this.closing ??= this.release());
  }

  private async release(): Promise<void> {
    this.packer?.destroy();
    // The stream uses the handle, so closing the handle itself would never resolve. Destroying the stream waits for a
    // write in progress and closes both.
    const closed = new Promise<void>((resolve) => this.file.once('close', resolve));
    this.file.destroy();
    await closed;
  }

  private openMember(): Gzip {
    const packer = createGzip();
    packer.on('error', (error) => {
      this.fail(error);
    });
    // The next member may be put while the packer of the previous one still emits output.
    void this.members.then(() => packer.pipe(this.file, { end: false }));
    return packer;
  }

  /** Resolves when the whole member is in the stream; undefined if there is no member. */
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
    this.rejectFailing(error);
    // Passes the error of the file to callers that wait for the packer.
    this.packer?.destroy(error as Error);
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw this.failure as Error;
  }
}
