/**
 * A stream of bytes to a device, a terminal or a pipe.
 *
 * Guarantees: no thread of the process ever waits for the reader of a pipe: the handle does not block, and a write to a
 * full pipe is tried again later. So the stream can be destroyed at any time, even while its reader does not read.
 */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { systemCodeOf } from '../../connect/files.js';

/** The shortest and the longest time between two attempts to write to a full pipe, in milliseconds. */
const FIRST_DELAY_MS = 1;
const LAST_DELAY_MS = 32;

/** Opens the path. Rejects with ENXIO if it is a pipe that nothing reads. */
export function openPipe(path: string): Promise<FileHandle> {
  return open(path, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

export class PipeStream extends Writable {
  /** The bytes that the system has accepted. */
  bytesWritten = 0;
  private readonly handle: FileHandle;
  private waiting: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle, highWaterMark: number) {
    // The owner destroys the stream, as it destroys a stream of a file.
    super({ highWaterMark, autoDestroy: false });
    this.handle = handle;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.writing = this.put(chunk, FIRST_DELAY_MS, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.waiting);
    void this.writing
      .then(() => this.handle.close())
      .then(
        () => {
          done(error);
        },
        (thrown: unknown) => {
          done(error ?? (thrown as Error));
        },
      );
  }

  private async put(chunk: Buffer, delayMs: number, done: (error?: Error) => void): Promise<void> {
    let delay = delayMs;
    let at = 0;
    try {
      while (at < chunk.length && !this.destroyed) {
        const { bytesWritten } = await this.handle.write(chunk, at, chunk.length - at, null);
        at += bytesWritten;
        this.bytesWritten += bytesWritten;
        delay = FIRST_DELAY_MS;
      }
      done();
    } catch (error) {
      if (systemCodeOf(error) !== 'EAGAIN') {
        done(error as Error);
        return;
      }
      this.waiting = setTimeout(() => {
        this.writing = this.put(chunk.subarray(at), Math.min(2 * delay, LAST_DELAY_MS), done);
      }, delay);
    }
  }
}
