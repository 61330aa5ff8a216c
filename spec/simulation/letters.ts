/**
 * Dead letters on the simulated disk, kept and rewound as those of a file are: see `lib/storage/dead-letter-file.ts`.
 */
import type { DeadLetter, DeadLetterStore } from 'millrace';
import type { Json } from '#lib/model/checkpoint.js';
import type { DurableLetters, LetterHead } from '#lib/model/ports.js';
import type { Disk, OpenFile, Point } from './disk.js';
import type { Incarnation } from './incarnation.js';

type LetterPosition = Point & { readonly moves: number };

export const LETTERS = 'letters';

export class Letters implements DeadLetterStore {
  readonly durable: DurableLetters;
  private readonly disk: Disk;
  private readonly incarnation: Incarnation;
  private readonly capacity: number;
  private lines: string[] = [];
  private file: OpenFile | undefined;
  private writing: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;
  private bytes = 0;
  private moves = 0;
  private rewound: LetterPosition | undefined;
  private readonly readyListeners: (() => void)[] = [];
  private readonly brokenListeners: ((error: unknown) => void)[] = [];

  /** @param onMark called at the moment that a checkpoint describes. */
  constructor(disk: Disk, incarnation: Incarnation, capacity: number, onMark: () => void = () => undefined) {
    this.disk = disk;
    this.incarnation = incarnation;
    this.capacity = capacity;
    this.durable = {
      persist: () => {
        onMark();
        return this.persist();
      },
      rewind: (position, keeps) => this.rewind(position as LetterPosition | null, keeps),
      commit: () => this.commit(),
    };
  }

  get isFull(): boolean {
    return this.lines.length >= this.capacity;
  }

  write(letter: DeadLetter): void {
    const line = `${JSON.stringify(letter)}\n`;
    this.bytes += line.length;
    this.lines.push(line);
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
    try {
      if (this.failure !== undefined) throw this.failure.error;
      await this.file?.sync();
    } finally {
      this.file?.close();
    }
  }

  private async persist(): Promise<Json> {
    const { bytes } = this;
    await this.writing;
    if (this.failure !== undefined) throw this.failure.error;
    if (this.file === undefined) return null;
    await this.file.sync();
    return { ...this.file.pointAt(bytes), moves: this.moves };
  }

  private async rewind(position: LetterPosition | null, keeps: (letter: LetterHead) => boolean): Promise<Json> {
    const { disk, incarnation } = this;
    if (position === null) {
      await disk.remove(incarnation, LETTERS);
      await disk.syncFolder(incarnation);
      return null;
    }
    await this.finishMove(position);
    (await disk.reopen(incarnation, LETTERS, position)).close();
    const lines = (disk.read(LETTERS) ?? '').split('\n').filter(Boolean);
    const kept = lines.filter((line) => keeps(JSON.parse(line) as LetterHead)).map((line) => `${line}\n`);
    if (kept.length === lines.length) {
      this.rewound = position;
      return position;
    }
    const moves = position.moves + 1;
    const aside = await disk.create(incarnation, asideOf(moves));
    try {
      for (const line of kept) await aside.append(line);
      await aside.sync();
      await disk.syncFolder(incarnation);
      this.rewound = { ...aside.pointAt(kept.join('').length), moves };
    } finally {
      aside.close();
    }
    return this.rewound;
  }

  private async commit(): Promise<void> {
    const { rewound } = this;
    if (rewound === undefined) return;
    await this.finishMove(rewound);
    // A finished run does not finish the move again, and its letters are read for a replay.
    await this.disk.syncFolder(this.incarnation);
    this.bytes = rewound.bytes;
    this.moves = rewound.moves;
    this.file = await this.disk.reopen(this.incarnation, LETTERS, rewound);
  }

  private async create(): Promise<OpenFile> {
    const file = await this.disk.create(this.incarnation, LETTERS);
    await this.disk.syncFolder(this.incarnation);
    return file;
  }

  private finishMove({ moves }: LetterPosition): Promise<void> {
    return this.disk.rename(this.incarnation, asideOf(moves), LETTERS);
  }

  private async drain(): Promise<void> {
    try {
      this.file ??= await this.create();
      while (this.lines.length > 0) {
        const { lines } = this;
        this.lines = [];
        await this.file.append(lines.join(''));
        for (const listener of this.readyListeners) listener();
      }
    } catch (error) {
      this.failure = { error };
      for (const listener of this.brokenListeners) listener(error);
    } finally {
      this.writing = undefined;
    }
  }
}

function asideOf(moves: number): string {
  return `${LETTERS}.kept-${moves}`;
}
