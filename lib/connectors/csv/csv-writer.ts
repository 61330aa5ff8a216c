/**
 * Writes rows to a CSV file, which gets its final name only when it is complete.
 *
 * Guarantees: bytes are written to `path.part`; with `from`, after the bytes of an earlier incarnation of the run.
 * `finish` makes them durable (fdatasync) before it renames the file, so a reader never sees a partial file under
 * `path`. Two runs that write to one path never mix their rows, and the later one is refused if the first can be
 * detected. Memory is bounded, because `write` returns a promise while the disk is behind. A failed write is
 * MILLRACE_FILE with the system's error as its cause, at this `write` or the next, and always at `finish`.
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
  /** The path of the file, in an existing folder. A `.gz` file is compressed. `finish` replaces an existing file. */
  readonly path: string;
  /** The columns, in order: the header. */
  readonly columns: readonly string[];
  /** One character. Default `,`. */
  readonly delimiter?: string;
  /** Default `\n`. */
  readonly lineEnd?: '\n' | '\r\n';
  /**
   * Puts a `'` before strings that start with = + - @ (or a tab or CR), which a spreadsheet would run as a formula.
   * Default false: strings are written as they are.
   */
  readonly escapeFormulas?: boolean;
  /** Ends waiting writes with MILLRACE_ABORTED. The file stays until `finish` or `abandon`. */
  readonly signal?: AbortSignal;
  /**
   * Continues at this point of `path.part` and removes the bytes after it. If the file was renamed at this point, it is
   * complete.
   */
  readonly from?: FilePoint | undefined;
}

export interface CsvWriter {
  /** The bytes that the system has accepted; for .gz the compressed bytes. */
  readonly bytesWritten: number;
  /** Accepts the rows as soon as there is room for them. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void>;
  /** The text of one row, for `writeText`. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  encode(row: Readonly<Record<string, unknown>>): string;
  /** Accepts encoded rows as soon as there is room for them. A returned promise resolves when they are accepted. */
  writeText(rows: readonly string[]): void | Promise<void>;
  /** The point after the rows accepted so far. Resolves when they would survive a loss of power. */
  mark(): Promise<FilePoint>;
  /** Makes everything durable and renames the file. Resolves when both are done. */
  finish(): Promise<void>;
  /** Closes the file and leaves `path.part` as it is. */
  abandon(): Promise<void>;
}

/** The most rows per text. */
const ROWS_AT_ONCE = 4096;

/** The temporary files that exist before the file gets its final name. */
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
    // The rename would fail on a folder, but only at the end of the run.
    const isFolder = await stat(path).then(
      (facts) => facts.isDirectory(),
      () => false,
    );
    if (isFolder) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    const disown = await claimFile(partOf(path));
    const handle = await openPart(path, from, disown.hasGhost).catch(async (error: unknown) => {
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

/** Opens a new file, or the one to continue. Its name is durable, because a checkpoint may refer to it. */
async function openPart(path: string, from: FilePoint | undefined, hasGhost: boolean): Promise<FileHandle> {
  const part = partOf(path);
  if (from === undefined) {
    // A new file, so that a run which still writes to the old one cannot mix its rows in. A link is followed.
    const isLink = await lstat(part).then(
      (facts) => facts.isSymbolicLink(),
      () => false,
    );
    if (!isLink) await rm(part, { force: true });
    const handle = await open(part, isLink ? 'w+' : 'wx+');
    await syncFolder(dirname(path));
    return handle;
  }
  // An earlier incarnation has already renamed the file: continue with a copy, and keep the file until the copy is
  // complete.
  const isThere = await stat(part).catch(() => undefined);
  if (isThere === undefined && (await endsAt(path, from))) {
    const copy = copyOf(path);
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    await syncFile(copy);
    await rename(copy, part);
    await syncFolder(dirname(path));
  } else if (isThere !== undefined && hasGhost) {
    // The process before this one may wake up and write to the file that it has open: that must be another file.
    await copyFile(part, copyOf(path), constants.COPYFILE_FICLONE);
    await syncFile(copyOf(path));
    await rename(copyOf(path), part);
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
  /** Releases the ownership of the file. */
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
    return this.accept(rows, (some) => this.parts.format.text(some));
  }

  encode(row: Readonly<Record<string, unknown>>): string {
    return this.parts.format.text([row]);
  }

  writeText(rows: readonly string[]): void | Promise<void> {
    return this.accept(rows, (some) => some.join(''));
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

  /** Another run may have started to write to the same path; then the file there is not ours. */
  private async assertOurs(part: string): Promise<void> {
    const [ours, there] = await Promise.all([this.parts.handle.stat(), stat(part)]);
    if (there.ino === ours.ino && there.dev === ours.dev) return;
    throw new MillraceError(
      'MILLRACE_LOCKED',
      `Another run has started to write ${part}, so the rows of this run are lost. Run it again when the other run is over, or write to another path`,
    );
  }

  /** Puts rows into the file only when there is room. When the promise resolves, the rows are in the file's buffer. */
  private accept<Row>(rows: readonly Row[], textOf: (rows: readonly Row[]) => string): void | Promise<void> {
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
