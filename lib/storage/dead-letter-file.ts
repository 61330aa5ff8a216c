/**
 * Dead letters as NDJSON, one letter a line. Promises: the file is made with the first letter, so a run without dead
 * letters leaves none; letters wait in a bounded queue, and sources are held back while it is full; after `close` every
 * letter is on the disk; a letter whose record cannot be written as JSON is written with a description of it.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { MillraceError, describeThrown, describeValue } from '../core/errors.js';
import type { DeadLetter, DeadLetterStore } from '../core/ports.js';

export interface DeadLetterFileOptions {
  /** The most letters waiting to be written before sources are held back. Default 1,024. */
  readonly capacity?: number;
}

/** A store that writes to this file, replacing what an earlier run left there. */
export function deadLetterFile(path: string, options: DeadLetterFileOptions = {}): DeadLetterStore {
  return new DeadLetterFile(path, options.capacity ?? 1024);
}

class DeadLetterFile implements DeadLetterStore {
  private readonly path: string;
  private readonly capacity: number;
  private lines: string[] = [];
  private file: FileHandle | undefined;
  private writing: Promise<void> | undefined;
  private failure: MillraceError | undefined;
  private readonly readyListeners: (() => void)[] = [];
  private readonly brokenListeners: ((error: unknown) => void)[] = [];

  constructor(path: string, capacity: number) {
    this.path = path;
    this.capacity = capacity;
  }

  get isFull(): boolean {
    return this.lines.length >= this.capacity;
  }

  write(letter: DeadLetter): void {
    this.lines.push(lineOf(letter));
    this.writing ??= this.drain();
  }

  whenReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  whenBroken(listener: (error: unknown) => void): void {
    this.brokenListeners.push(listener);
  }

  async close(): Promise<void> {
    await this.writing;
    const { file } = this;
    this.file = undefined;
    if (file !== undefined) {
      try {
        if (this.failure === undefined) await file.datasync();
      } finally {
        await file.close();
      }
    }
    if (this.failure !== undefined) throw this.failure;
  }

  private async drain(): Promise<void> {
    try {
      this.file ??= await open(this.path, 'w');
      while (this.lines.length > 0) {
        const { lines } = this;
        this.lines = [];
        await this.file.appendFile(lines.join(''));
        for (const listener of this.readyListeners) listener();
      }
    } catch (error) {
      this.failure = new MillraceError(
        'MILLRACE_FILE',
        `Cannot write dead letters to ${this.path}: ${describeThrown(error)}. Free space there, or name another file`,
        { cause: error },
      );
      for (const listener of this.brokenListeners) listener(this.failure);
    } finally {
      this.writing = undefined;
    }
  }
}

function lineOf(letter: DeadLetter): string {
  try {
    return `${JSON.stringify(letter, replacer)}\n`;
  } catch {
    return `${JSON.stringify({ ...letter, record: describeValue(letter.record, 2000) }, replacer)}\n`;
  }
}

/** What JSON has no word for keeps one: undefined, NaN, infinities and big integers. */
function replacer(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value === undefined && key === 'record') return null;
  return value;
}
