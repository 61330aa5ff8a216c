/**
 * Dead letters as NDJSON, one letter per line.
 *
 * Guarantees: the first letter creates the file, so a run without dead letters leaves none. Letters wait in a bounded
 * queue; sources pause while it is full. After `close` every letter is on the disk, with a checksum. A letter whose
 * record cannot be written as JSON contains a description instead. A resumed run keeps exactly the letters of records
 * that it does not process again, and removes only letters of its own. A file that holds anything else than dead
 * letters is refused, and so is a file that another run writes. If another program removes the file, it is written
 * again. If another program changes or replaces the file, the run fails.
 */
import { constants } from 'node:fs';
import { open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Json } from '../model/checkpoint.js';
import { MillraceError } from '../model/errors.js';
import { letterLine } from '../model/json-line.js';
import { checkOptions, checkText, count, type OptionRules } from '../options/options.js';
import type { DeadLetter, DeadLetterStore, DurableLetters, LetterHead } from '../model/ports.js';
import type { TouchedFile } from '../model/touched-file.js';
import { factsOf } from './facts-of.js';
import { fileError, systemCodeOf } from './file-errors.js';
import { claimFile, type FileClaim } from './file-owner.js';
import { pointAt, reopenAt, type FilePoint } from './file-point.js';
import { assertForLetters, holdsLettersOf } from './replaceable-file.js';
import { readLetters } from './read-letters.js';
import { resultPathOf } from './result-place.js';
import { sealLine } from './sealed.js';
import { syncData } from './sync-data.js';
import { syncFolder } from './sync-folder.js';
import { touchedFile, whereItLeads } from './touched-file.js';

/** Options of `deadLetterFile`. */
export interface DeadLetterFileOptions {
  /** The most letters that wait to be written before sources pause. Default 1,024. */
  readonly capacity?: number;
}

const RULES: OptionRules<DeadLetterFileOptions> = { capacity: count() };

/**
 * A store that writes to this file and replaces the dead letters of an earlier run. Throws MILLRACE_INVALID_OPTION if
 * the path is empty or an option does not fit. A file that holds anything else, or cannot be written, fails the run
 * with MILLRACE_FILE, and one that another run writes with MILLRACE_LOCKED.
 */
export function deadLetterFile(path: string, options: DeadLetterFileOptions = {}): DeadLetterStore {
  checkText('the path of a deadLetterFile', path);
  checkOptions('a deadLetterFile', options, RULES);
  return new DeadLetterFile(path, options.capacity ?? 1024);
}

/** A position in the dead letters of a run. */
interface LetterPosition extends FilePoint {
  /**
   * The number of times that letters were removed. It is part of the name of the file with the remaining letters, which
   * replaces the original file.
   */
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
  private claim: FileClaim | undefined;
  /** Bytes of all accepted letters, including those of earlier incarnations. */
  private bytes = 0;
  /** Bytes of all letters in the file. */
  private stored = 0;
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
      persist: () => this.position(),
      rewind: (position, keeps, runId) => this.rewind(position as LetterPosition | null, keeps, runId),
      commit: () => this.commit(),
    };
  }

  get isFull(): boolean {
    return this.lines.length >= this.capacity;
  }

  write(letter: DeadLetter): void {
    const line = sealLine(letterLine(letter));
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

  async open(): Promise<void> {
    if (this.claim !== undefined || !(await isFileOrMissing(this.path))) return;
    try {
      this.claim = await claimFile(whereItLeads(resolve(this.path)));
    } catch (error) {
      // The file may be writable although no file can be created beside it. Then there is no claim.
      if (['EACCES', 'EPERM', 'EROFS'].includes(systemCodeOf(error) ?? '')) return;
      throw fileError('write', this.path, error, 'dead letters');
    }
  }

  async close(): Promise<void> {
    try {
      await this.settle();
      if (this.failure === undefined && this.handle !== undefined) await syncData(this.handle);
    } finally {
      const { handle, claim } = this;
      this.handle = undefined;
      this.claim = undefined;
      await handle?.close();
      await claim?.();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** The position of the letters accepted before the call, once they are on the disk. */
  private async position(): Promise<Json> {
    const { bytes } = this;
    await this.settle();
    if (this.failure !== undefined) throw this.failure;
    if (this.handle === undefined) return null;
    await syncData(this.handle);
    return { ...(await pointAt(this.handle, bytes)), moves: this.moves };
  }

  /** Resolves when the letters accepted before are in the file, and the file was found in its place. */
  private async settle(): Promise<void> {
    await this.writing;
    if (this.failure === undefined && this.handle !== undefined) await (this.writing ??= this.drain());
  }

  private async rewind(
    position: LetterPosition | null,
    keeps: (letter: LetterHead) => boolean,
    runId: string,
  ): Promise<Json> {
    if (position === null) {
      await this.open();
      // A file with letters of another run is older than this run, and stays.
      if (await holdsLettersOf(this.path, runId)) {
        await rm(this.path, { force: true });
        await syncFolder(dirname(this.path));
      }
      return null;
    }
    await this.open();
    await this.finishMove(position);
    await (await reopenAt(this.path, position)).close();
    // A new file, because a process that was replaced may still have the old one open.
    const moves = position.moves + 1;
    // A link that another program has put there is not followed.
    const { O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const aside = await open(this.asideOf(moves), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW);
    let bytes = 0;
    try {
      for await (const letter of readLetters(this.path)) {
        if (keeps(letter)) bytes += (await aside.write(sealLine(letterLine(letter)))).bytesWritten;
      }
      await syncData(aside);
      await syncFolder(dirname(this.path));
      this.rewound = { ...(await pointAt(aside, bytes)), moves };
    } finally {
      await aside.close();
    }
    return { ...this.rewound };
  }

  private async commit(): Promise<void> {
    const { rewound } = this;
    if (rewound === undefined) return;
    await this.finishMove(rewound);
    // Otherwise a loss of power after the end of the run would bring back letters that were replayed.
    await syncFolder(dirname(this.path));
    this.bytes = rewound.bytes;
    this.stored = rewound.bytes;
    this.moves = rewound.moves;
    await (await reopenAt(this.path, rewound)).close();
    this.handle = await open(this.path, 'a+');
  }

  private async create(): Promise<FileHandle> {
    await this.open();
    await assertForLetters(this.path);
    const handle = await open(this.path, 'w+');
    await syncFolder(dirname(this.path));
    return handle;
  }

  /** Replaces the file by the file with the remaining letters, unless that has happened already. */
  private async finishMove({ moves }: LetterPosition): Promise<void> {
    // If the path is a link, the file that it leads to is replaced, and the link stays.
    await rename(this.asideOf(moves), resultPathOf(this.path) ?? this.path).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private asideOf(moves: number): string {
    return `${resultPathOf(this.path) ?? this.path}.kept-${moves}`;
  }

  private async drain(): Promise<void> {
    try {
      do {
        this.handle = await this.inPlace();
        const { lines } = this;
        this.lines = [];
        if (lines.length === 0) return;
        const text = Buffer.from(lines.join(''));
        await this.handle.appendFile(text);
        this.stored += text.length;
        for (const listener of this.readyListeners) listener();
      } while (this.lines.length > 0);
    } catch (error) {
      this.failure = fileError('write', this.path, error, 'dead letters');
      for (const listener of this.brokenListeners) listener(this.failure);
    } finally {
      this.writing = undefined;
    }
  }

  /** The open file, checked to be the file at the path. A removed file is written again. */
  private async inPlace(): Promise<FileHandle> {
    const { handle, path } = this;
    if (handle === undefined) return this.create();
    this.claim?.assertHeld();
    const [ours, there] = await Promise.all([handle.stat(), factsOf(path)]);
    const wasChanged = (what: string): MillraceError =>
      new MillraceError(
        'MILLRACE_FILE',
        `${path} was ${what} while the run wrote its dead letters. Let no other program change it; put it back as it was, and resume the run`,
      );
    if (ours.isFile() && ours.size !== this.stored) throw wasChanged('changed');
    if (there === undefined) return this.putBack(handle);
    if (there.ino !== ours.ino || there.dev !== ours.dev) throw wasChanged('replaced');
    return handle;
  }

  /** Copies all letters from the open file, which has lost its name, to a new file at the path. */
  private async putBack(old: FileHandle): Promise<FileHandle> {
    const handle = await open(this.path, 'wx+');
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = 0; at < this.stored;) {
      const { bytesRead } = await old.read(chunk, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) break;
      await handle.appendFile(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
    await syncData(handle);
    await syncFolder(dirname(this.path));
    await old.close();
    return handle;
  }
}

/** The number of bytes that are copied at once. */
const CHUNK_BYTES = 64 * 1024;

async function isFileOrMissing(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    (error: unknown) => systemCodeOf(error) === 'ENOENT',
  );
}
