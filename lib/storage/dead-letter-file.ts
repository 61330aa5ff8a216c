/**
 * Dead letters as NDJSON, one letter a line. Promises: the file is made with the first letter, so a run without dead
 * letters leaves none; letters wait in a bounded queue, and sources are held back while it is full; after `close` every
 * letter is on the disk; a letter whose record cannot be written as JSON is written with a description of it; a resumed
 * run finds the letters of records that it does not do again, and no others; a file that holds something else than dead
 * letters is refused, and a resumed run removes no letters but its own.
 */
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Json } from '../model/checkpoint.js';
import type { MillraceError } from '../model/errors.js';
import { letterLine } from '../model/json-line.js';
import { checkOptions, checkText, count, type OptionRules } from '../options/options.js';
import type { DeadLetter, DeadLetterStore, DurableLetters, LetterHead } from '../model/ports.js';
import type { TouchedFile } from '../model/touched-file.js';
import { fileError } from './file-errors.js';
import { pointAt, reopenAt, type FilePoint } from './file-point.js';
import { assertForLetters, holdsLettersOf } from './letters-in-place.js';
import { readLetters } from './read-letters.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile } from './touched-file.js';

/** Options of `deadLetterFile`. */
export interface DeadLetterFileOptions {
  /** The most letters waiting to be written before sources are held back. Default 1,024. */
  readonly capacity?: number;
}

const RULES: OptionRules<DeadLetterFileOptions> = { capacity: count() };

/**
 * A store that writes to this file, replacing the dead letters that an earlier run left there. Throws
 * MILLRACE_INVALID_OPTION; a file that holds something else, or cannot be written, fails the run with MILLRACE_FILE.
 */
export function deadLetterFile(path: string, options: DeadLetterFileOptions = {}): DeadLetterStore {
  checkText('the path of a deadLetterFile', path);
  checkOptions('a deadLetterFile', options, RULES);
  return new DeadLetterFile(path, options.capacity ?? 1024);
}

/** How far the letters had come. */
interface LetterMark extends FilePoint {
  /** How often letters were left out; names the file with the rest, which takes the place of the first one. */
  readonly moves: number;
}

class DeadLetterFile implements DeadLetterStore {
  readonly durable: DurableLetters;
  readonly location: string;
  private readonly path: string;
  private readonly capacity: number;
  private lines: string[] = [];
  private handle: FileHandle | undefined;
  private writing: Promise<void> | undefined;
  private failure: MillraceError | undefined;
  /** Bytes of all letters taken so far, of those before this life too. */
  private bytes = 0;
  private moves = 0;
  /** What `rewind` has found. */
  private rewound: LetterMark | undefined;
  private readonly readyListeners: (() => void)[] = [];
  private readonly brokenListeners: ((error: unknown) => void)[] = [];

  constructor(path: string, capacity: number) {
    this.path = path;
    this.location = path;
    this.capacity = capacity;
    this.durable = {
      mark: () => this.mark(),
      rewind: (mark, keeps, runId) => this.rewind(mark as LetterMark | null, keeps, runId),
      commit: () => this.commit(),
    };
  }

  get isFull(): boolean {
    return this.lines.length >= this.capacity;
  }

  write(letter: DeadLetter): void {
    const line = letterLine(letter);
    this.bytes += Buffer.byteLength(line);
    this.lines.push(line);
    this.writing ??= this.drain();
  }

  whenReady(listener: () => void): void {
    this.readyListeners.push(listener);
  }

  whenBroken(listener: (error: unknown) => void): void {
    this.brokenListeners.push(listener);
  }

  files(): readonly TouchedFile[] {
    return [touchedFile(this.path, 'write')];
  }

  assertWritable(): Promise<void> {
    return assertForLetters(this.path);
  }

  async close(): Promise<void> {
    await this.writing;
    const { handle } = this;
    this.handle = undefined;
    if (handle !== undefined) {
      try {
        if (this.failure === undefined) await handle.datasync();
      } finally {
        await handle.close();
      }
    }
    if (this.failure !== undefined) throw this.failure;
  }

  private async mark(): Promise<Json> {
    const { bytes } = this;
    await this.writing;
    if (this.failure !== undefined) throw this.failure;
    if (this.handle === undefined) return null;
    await this.handle.datasync();
    return { ...(await pointAt(this.handle, bytes)), moves: this.moves };
  }

  private async rewind(mark: LetterMark | null, keeps: (letter: LetterHead) => boolean, runId: string): Promise<Json> {
    if (mark === null) {
      // What an earlier run, or somebody else, has put there was there before this run too.
      if (await holdsLettersOf(this.path, runId)) {
        await rm(this.path, { force: true });
        await syncFolder(dirname(this.path));
      }
      return null;
    }
    await this.finishMove(mark);
    await (await reopenAt(this.path, mark)).close();
    const moves = mark.moves + 1;
    const aside = await open(this.asideOf(moves), 'w+');
    let bytes = 0;
    try {
      for await (const letter of readLetters(this.path)) {
        if (keeps(letter)) bytes += (await aside.write(letterLine(letter))).bytesWritten;
      }
      await aside.datasync();
      await syncFolder(dirname(this.path));
      this.rewound = bytes === mark.bytes ? mark : { ...(await pointAt(aside, bytes)), moves };
    } finally {
      await aside.close();
    }
    if (this.rewound === mark) await rm(this.asideOf(moves));
    return { ...this.rewound };
  }

  private async commit(): Promise<void> {
    const { rewound } = this;
    if (rewound === undefined) return;
    await this.finishMove(rewound);
    this.bytes = rewound.bytes;
    this.moves = rewound.moves;
    await (await reopenAt(this.path, rewound)).close();
    this.handle = await open(this.path, 'a+');
  }

  private async create(): Promise<FileHandle> {
    await assertForLetters(this.path);
    const handle = await open(this.path, 'w+');
    await syncFolder(dirname(this.path));
    return handle;
  }

  /** The letters that were kept take the place of all, if they have not yet. */
  private async finishMove({ moves }: LetterMark): Promise<void> {
    await rename(this.asideOf(moves), this.path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private asideOf(moves: number): string {
    return `${this.path}.kept-${moves}`;
  }

  private async drain(): Promise<void> {
    try {
      this.handle ??= await this.create();
      while (this.lines.length > 0) {
        const { lines } = this;
        this.lines = [];
        await this.handle.appendFile(lines.join(''));
        for (const listener of this.readyListeners) listener();
      }
    } catch (error) {
      this.failure = fileError('write', this.path, error, 'dead letters');
      for (const listener of this.brokenListeners) listener(this.failure);
    } finally {
      this.writing = undefined;
    }
  }
}
