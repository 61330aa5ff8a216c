/**
 * Writes rows to a CSV file, which gets its name only when it is whole.
 *
 * Promises: bytes go to `path.part`, behind what an earlier life of the run left there if it is told so; `finish` makes
 * them durable (fdatasync) before it renames, so a reader never sees half a file under `path`; two runs that write one
 * path never mix their rows, and the later one is refused where that can be known; memory is bounded, because
 * `write` gives a promise while the disk is behind; a failed write is MILLRACE_FILE with the system's error as its cause,
 * at this `write` or the next, and always at `finish`.
 */
import { constants } from 'node:fs';
import { copyFile, lstat, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillraceError, describeValue } from '../../model/errors.js';
import { claimFile, ownerFileOf } from '../../connect/files.js';
import { endsAt, pointAt, reopenAt, type FilePoint } from '../../connect/files.js';
import { syncFolder } from '../../connect/files.js';
import { isPacked } from './byte-source.js';
import { duplicatesOf } from './csv-header.js';
import { checkDelimiter } from './csv-reader-options.js';
import { RowFormat } from './csv-row-format.js';
import { fileError } from '../../connect/files.js';
import { TextFile } from './text-file.js';

export interface CsvWriterOptions {
  /** Where the file goes, in a folder that exists; `.gz` is packed on the way. What is there is replaced by `finish`. */
  readonly path: string;
  /** The columns, in order: the header. */
  readonly columns: readonly string[];
  /** One character. Default `,`. */
  readonly delimiter?: string;
  /** Default `\n`. */
  readonly lineEnd?: '\n' | '\r\n';
  /**
   * Put a `'` before strings that start with = + - @ (or a tab or CR), which a spreadsheet would run as a formula.
   * Default false: strings are written as they are.
   */
  readonly escapeFormulas?: boolean;
  /** Ends waiting writes with MILLRACE_ABORTED. What becomes of the file is for `finish` or `abandon`. */
  readonly signal?: AbortSignal;
  /** Goes on from this point of `path.part`; what stands behind it is cut off. A file that got its name there is whole. */
  readonly from?: FilePoint | undefined;
}

export interface CsvWriter {
  /** Bytes that are in the file, packed ones for .gz; what the system has not taken yet is not among them. */
  readonly bytesWritten: number;
  /** Takes the rows, when there is room for them. Throws MILLRACE_CSV for a value CSV cannot hold. */
  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void>;
  /** The text of one row, for `writeText`. Throws MILLRACE_CSV for a value CSV cannot hold. */
  encode(row: Readonly<Record<string, unknown>>): string;
  /** Takes encoded rows, when there is room for them: a promise says when that was. */
  writeText(rows: readonly string[]): void | Promise<void>;
  /** The point behind the rows taken so far; resolves when they would survive the loss of power. */
  mark(): Promise<FilePoint>;
  /** Everything is on the disk, under its name. */
  finish(): Promise<void>;
  /** Closes, and leaves `path.part` as it is. */
  abandon(): Promise<void>;
}

/** The most rows that are made one text. */
const ROWS_AT_ONCE = 4096;

/** What is written, and renamed or removed again, before the file has its name. */
export function filesOnTheWayTo(path: string): readonly string[] {
  return [partOf(path), copyOf(path), ownerFileOf(partOf(path))];
}

/** Opens `path.part` and writes the header; throws MILLRACE_FILE, MILLRACE_RESUME or MILLRACE_INVALID_OPTION. */
export async function openCsvWriter(options: CsvWriterOptions): Promise<CsvWriter> {
  const { path, columns, signal, from } = options;
  const named = columns.every((column) => typeof column === 'string' && column !== '');
  if (columns.length === 0 || !named || duplicatesOf(columns).length > 0) {
    const got = describeValue(columns);
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`columns\` of a CSV file to be different names, got ${got}`,
    );
  }
  const format = new RowFormat({
    columns,
    delimiter: checkDelimiter(options.delimiter),
    lineEnd: options.lineEnd ?? '\n',
    escapeFormulas: options.escapeFormulas ?? false,
  });
  throwIfAborted(path, signal);
  try {
    // The rename would fail on a folder, but only after all of the work.
    const isFolder = await stat(path).then(
      (facts) => facts.isDirectory(),
      () => false,
    );
    if (isFolder) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    const disown = await claimFile(partOf(path));
    const handle = await openPart(path, from).catch(async (error: unknown) => {
      await disown();
      throw error;
    });
    const file = new TextFile(handle, { isPacked: isPacked(path), start: from?.bytes ?? 0, signal });
    if (from === undefined) file.put(format.header);
    return new CsvFileWriter({ handle, disown, file, format, path, signal });
  } catch (error) {
    throw fileError('write', path, error);
  }
}

/** A new file, or the one to go on with; its name is durable, as what a checkpoint says of it must be. */
async function openPart(path: string, from: FilePoint | undefined): Promise<FileHandle> {
  const part = partOf(path);
  if (from === undefined) {
    // A new file: whoever still writes the one that stood here writes on into that. A link is written through.
    const isLink = await lstat(part).then(
      (facts) => facts.isSymbolicLink(),
      () => false,
    );
    if (!isLink) await rm(part, { force: true });
    const handle = await open(part, isLink ? 'w+' : 'wx+');
    await syncFolder(dirname(path));
    return handle;
  }
  // An earlier life got as far as the rename: it goes on with a copy, and the file stands until that is whole.
  const isThere = await stat(part).catch(() => undefined);
  if (isThere === undefined && (await endsAt(path, from))) {
    const copy = copyOf(path);
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    await syncFile(copy);
    await rename(copy, part);
    await syncFolder(dirname(path));
  }
  return reopenAt(part, from);
}

function partOf(path: string): string {
  return `${path}.part`;
}

function copyOf(path: string): string {
  return `${partOf(path)}.copy`;
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

interface WriterParts {
  readonly handle: FileHandle;
  /** Says that the file is nobody's any more. */
  readonly disown: () => Promise<void>;
  readonly file: TextFile;
  readonly format: RowFormat;
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

class CsvFileWriter implements CsvWriter {
  private readonly parts: WriterParts;
  private readonly file: TextFile;
  private readonly path: string;
  private isOver = false;

  constructor(parts: WriterParts) {
    this.parts = parts;
    this.file = parts.file;
    this.path = parts.path;
  }

  get bytesWritten(): number {
    return this.file.bytesWritten;
  }

  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void> {
    return this.take(rows, (some) => this.parts.format.text(some));
  }

  encode(row: Readonly<Record<string, unknown>>): string {
    return this.parts.format.text([row]);
  }

  writeText(rows: readonly string[]): void | Promise<void> {
    return this.take(rows, (some) => some.join(''));
  }

  async mark(): Promise<FilePoint> {
    try {
      const bytes = await this.file.flush();
      await this.parts.handle.datasync();
      return await pointAt(this.parts.handle, bytes);
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  async finish(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    const part = partOf(this.path);
    try {
      await this.file.end();
      await this.parts.handle.datasync();
      await this.assertOurs(part);
      await this.file.close();
      await rename(part, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw fileError('write', this.path, error);
    } finally {
      await this.release();
    }
  }

  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.release();
  }

  private async release(): Promise<void> {
    await this.file.close();
    await this.parts.disown();
  }

  /** Somebody else may have begun to write to the same path meanwhile: what stands there is then not ours. */
  private async assertOurs(part: string): Promise<void> {
    const [ours, there] = await Promise.all([this.parts.handle.stat(), stat(part)]);
    if (there.ino === ours.ino && there.dev === ours.dev) return;
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Another run has begun to write ${part} meanwhile, so the rows of this one are gone. Run it again when that is over, or write to another path`,
    );
  }

  /** Rows are put into the file only once there is room, so that what was put has passed when this resolves. */
  private take<Row>(rows: readonly Row[], textOf: (rows: readonly Row[]) => string): void | Promise<void> {
    if (this.isOver) throw new MillraceError('MILLRACE_FILE', `Cannot write ${this.path}: it is closed already`);
    const room = this.file.room();
    if (room === undefined) {
      this.put(rows, textOf);
      return undefined;
    }
    return room.then(
      () => {
        this.put(rows, textOf);
      },
      (error: unknown) => {
        throwIfAborted(this.path, this.parts.signal);
        throw fileError('write', this.path, error);
      },
    );
  }

  private put<Row>(rows: readonly Row[], textOf: (rows: readonly Row[]) => string): void {
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      this.file.put(textOf(rows.slice(from, from + ROWS_AT_ONCE)));
    }
  }
}

function throwIfAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Writing ${path} was cancelled`, { cause: signal.reason });
}
