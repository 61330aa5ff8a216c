/**
 * Dead letters as NDJSON, one letter per line.
 *
 * Guarantees: the first letter creates the file, so a run without dead letters leaves none. Letters wait in a bounded queue;
 * sources pause while it is full. After `close` every letter is on the disk. A letter whose record cannot be written as JSON
 * contains a description instead. A resumed run keeps exactly the letters of records that it does not process again, and
 * removes only letters of its own. A file that holds anything else than dead letters is refused.
 */
import { constants } from 'node:fs';
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
import { assertForLetters, holdsLettersOf } from './replaceable-file.js';
import { readLetters } from './read-letters.js';
import { resultPathOf } from './result-place.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile } from './touched-file.js';

/** Options of `deadLetterFile`. */
export interface DeadLetterFileOptions {
  /** The most letters that wait to be written before sources pause. Default 1,024. */
  readonly capacity?: number;
}

const RULES: OptionRules<DeadLetterFileOptions> = { capacity: count() };

/**
 * A store that writes to this file and replaces the dead letters of an earlier run. Throws MILLRACE_INVALID_OPTION if the path
 * is empty or an option does not fit. A file that holds anything else, or cannot be written, fails the run with
 * MILLRACE_FILE.
 */
export function deadLetterFile(path: string, options: DeadLetterFileOptions = {}): DeadLetterStore {
  checkText('the path of a deadLetterFile', path);
  checkOptions('a deadLetterFile', options, RULES);
  return new DeadLetterFile(path, options.capacity ?? 1024);
}

/** A position in the dead letters of a run. */
interface LetterPosition extends FilePoint {
  /** How often letters were removed. The number names the file with the remaining ones, which replaces the original file. */
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
  /** Bytes of all accepted letters, including those of earlier incarnations. */
  private bytes = 0;
  private moves = 0;
  /** The position that `rewind` returned. */
  private rewound: LetterPosition | undefined;
  private readonly readyListeners: (() => void)[] = [];
  private readonly brokenListeners: ((error: unknown) => void)[] = [];

  constructor(path: string, capacity: number) {
    this.path = path;
    this.location = path;
    this.capacity = capacity;
    this.durable = {
      mark: () => this.position(),
      rewind: (position, keeps, runId) => this.rewind(position as LetterPosition | null, keeps, runId),
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

  /** The position of the letters accepted before the call, once they are on the disk. */
  private async position(): Promise<Json> {
    const { bytes } = this;
    await this.writing;
    if (this.failure !== undefined) throw this.failure;
    if (this.handle === undefined) return null;
    await this.handle.datasync();
    return { ...(await pointAt(this.handle, bytes)), moves: this.moves };
  }

  private async rewind(
    position: LetterPosition | null,
    keeps: (letter: LetterHead) => boolean,
    runId: string,
  ): Promise<Json> {
    if (position === null) {
      // Letters of another run were there before this run, and stay.
      if (await holdsLettersOf(this.path, runId)) {
        await rm(this.path, { force: true });
        await syncFolder(dirname(this.path));
      }
      return null;
    }
    await this.finishMove(position);
    await (await reopenAt(this.path, position)).close();
    const moves = position.moves + 1;
    // A link that somebody has put there is not followed.
    const { O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const aside = await open(this.asideOf(moves), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW);
    let bytes = 0;
    try {
      for await (const letter of readLetters(this.path)) {
        if (keeps(letter)) bytes += (await aside.write(letterLine(letter))).bytesWritten;
      }
      await aside.datasync();
      await syncFolder(dirname(this.path));
      this.rewound = bytes === position.bytes ? position : { ...(await pointAt(aside, bytes)), moves };
    } finally {
      await aside.close();
    }
    if (this.rewound === position) await rm(this.asideOf(moves));
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

  /** Replaces the file by the file with the remaining letters, unless that has happened already. */
  private async finishMove({ moves }: LetterPosition): Promise<void> {
    // A link keeps leading to the letters.
    await rename(this.asideOf(moves), resultPathOf(this.path) ?? this.path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private asideOf(moves: number): string {
    return `${resultPathOf(this.path) ?? this.path}.kept-${moves}`;
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
