/**
 * Writes rows to a CSV file, which gets its final name only when it is complete.
 *
 * Guarantees: bytes are written to `path.part`; with `from`, after the bytes of an earlier incarnation of the run.
 * `finish` makes them durable (fdatasync) before it renames the file, so a reader never sees a partial file under
 * `path`. A link is followed to the file that it names. A file that cannot be replaced by a rename (a mount), or must not
 * be (it has several names or belongs to another user), is filled from `path.part` at the end. A device or a pipe is
 * written to directly. Anything else is refused before the first byte. Two runs that write to one path never mix their rows, and the later one is refused if the first can be
 * detected. Memory is bounded, because `write` returns a promise while the disk is behind. A failed write is
 * MILLRACE_FILE with the system's error as its cause, at this `write` or the next, and always at `finish`.
 */
import { constants } from 'node:fs';
import { copyFile, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MillraceError, describeValue } from '../../model/errors.js';
import {
  assertForRows,
  assertOwnFile,
  claimFile,
  endsAt,
  fileError,
  lookAtResult,
  ownerFileOf,
  pointAt,
  reopenAt,
  resultPathOf,
  syncData,
  syncFolder,
  systemCodeOf,
  type FilePlace,
  type FilePoint,
} from '../../connect/files.js';
import { isPacked } from './byte-source.js';
import { duplicatesOf } from './csv-header.js';
import { checkDelimiter } from './csv-reader-options.js';
import { RowFormat } from './csv-row-format.js';
import { openPipe } from './pipe-stream.js';
import { TextFile } from './text-file.js';

export interface CsvWriterOptions {
  /**
   * The path of the file, in an existing folder. A `.gz` file is compressed. `finish` replaces an existing table; any
   * other file that would be replaced is refused. A device or a pipe is written to as it is.
   */
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
  /** True if the rows go to a device or a pipe. They cannot be taken back, so there are no points to continue from. */
  readonly isStream: boolean;
  /** The bytes that the system has accepted; for .gz the compressed bytes. */
  readonly bytesWritten: number;
  /** Accepts the rows as soon as there is room for them. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void>;
  /** The text of one row, for `writeText`. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  encode(row: Readonly<Record<string, unknown>>): string;
  /** Accepts encoded rows as soon as there is room for them. A returned promise resolves when they are accepted. */
  writeText(rows: readonly string[]): void | Promise<void>;
  /**
   * The point after the rows accepted so far. Resolves when they would survive a loss of power; for a device or a pipe
   * with undefined, when the system has accepted them.
   */
  mark(): Promise<FilePoint | undefined>;
  /** Makes everything durable and renames the file, or fills the existing one. Resolves when both are done. */
  finish(): Promise<void>;
  /** Closes the file and leaves `path.part` as it is. */
  abandon(): Promise<void>;
}

/** The most rows per text. */
const ROWS_AT_ONCE = 4096;

/** The temporary files that exist before the file gets its final name. A device or a pipe needs none. */
export function filesOnTheWayTo(path: string): readonly string[] {
  const end = resultPathOf(path);
  return end === undefined ? [] : [partOf(end), copyOf(end), ownerFileOf(partOf(end))];
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
    const place = await lookAtResult(path);
    if (place.kind === 'stream') {
      if (from !== undefined) throw notAFile(path);
      const handle = await openPipe(path);
      const file = new TextFile(handle, { isPacked: isPacked(path), isStream: true, start: 0, signal });
      file.put(format.header);
      return new CsvFileWriter({ handle, disown: undefined, file, format, path, place: undefined, signal });
    }
    const end = place.path;
    if (from === undefined && place.mode !== undefined) await assertForRows(end, format.header, isPacked(path));
    const disown = await claimFile(partOf(end));
    const handle = await openPart(end, from, disown.hasGhost).catch(async (error: unknown) => {
      await disown();
      throw error;
    });
    const file = new TextFile(handle, { isPacked: isPacked(path), isStream: false, start: from?.bytes ?? 0, signal });
    if (from === undefined) file.put(format.header);
    return new CsvFileWriter({ handle, disown, file, format, path, place, signal });
  } catch (error) {
    throw fileError('write', path, error);
  }
}

function notAFile(path: string): MillraceError {
  return new MillraceError(
    'MILLRACE_RESUME',
    `Cannot go on with ${path}: it is no file any more. Put the file back as it was, or start a new run`,
  );
}

/** Opens a new file, or the one to continue. Its name is durable, because a checkpoint may refer to it. */
async function openPart(path: string, from: FilePoint | undefined, hasGhost: boolean): Promise<FileHandle> {
  const part = partOf(path);
  await assertOwnFile(part);
  if (from === undefined) {
    // A new file, so that a run which still writes to the old one cannot mix its rows in.
    await rm(part, { force: true });
    const handle = await open(part, 'wx+');
    await syncFolder(dirname(path));
    return handle;
  }
  // An earlier incarnation has already renamed the file: continue with a copy, and keep the file until the copy is
  // complete.
  const isThere = await stat(part).catch(() => undefined);
  if (isThere === undefined && (await endsAt(path, from))) {
    const copy = copyOf(path);
    await assertOwnFile(copy);
    await rm(copy, { force: true });
    await copyFile(path, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
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

/** Replaces the bytes of an existing file, which keeps its owner, its permissions and its other names. */
async function fill(path: string, part: string): Promise<void> {
  const from = await open(part, 'r');
  try {
    const to = await open(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      let at = 0;
      const buffer = Buffer.allocUnsafe(FILL_BYTES);
      for (;;) {
        const { bytesRead } = await from.read(buffer, 0, FILL_BYTES, at);
        if (bytesRead === 0) break;
        await to.writeFile(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      await to.truncate(at);
      await syncData(to);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
  await rm(part);
}

const FILL_BYTES = 1024 * 1024;

function partOf(path: string): string {
  return `${path}.part`;
}

function copyOf(path: string): string {
  return `${partOf(path)}.copy`;
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncData(handle);
  } finally {
    await handle.close();
  }
}

interface WriterParts {
  readonly handle: FileHandle;
  /** Releases the ownership of the file; undefined for a device or a pipe, which has no owner. */
  readonly disown: (() => Promise<void>) | undefined;
  readonly file: TextFile;
  readonly format: RowFormat;
  readonly path: string;
  /** Undefined for a device or a pipe. */
  readonly place: FilePlace | undefined;
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

  get isStream(): boolean {
    return this.parts.place === undefined;
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

  async mark(): Promise<FilePoint | undefined> {
    try {
      const bytes = await this.file.flush();
      if (this.isStream) return undefined;
      await syncData(this.parts.handle);
      return await pointAt(this.parts.handle, bytes);
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  async finish(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    const { place, handle } = this.parts;
    try {
      await this.file.end();
      if (place !== undefined) {
        const part = partOf(place.path);
        if (place.mode !== undefined && !place.isFilled) await handle.chmod(place.mode);
        await syncData(handle);
        await this.assertOurs(part);
        await this.file.close();
        await this.publish(part, place);
      }
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
    await this.parts.disown?.();
  }

  /** Gives the file its final name, or its content to the file of that name. */
  private async publish(part: string, { path, isFilled }: FilePlace): Promise<void> {
    const now = await lookAtResult(this.path);
    if (now.kind !== 'file' || now.path !== path) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write ${this.path}: it does not lead to ${path} any more. The rows are in ${part}`,
      );
    }
    if (isFilled || now.isFilled) await fill(path, part);
    else {
      // The name is a mount, such as a single file in a container, which no rename can replace.
      await rename(part, path).catch((error: unknown) => {
        if (systemCodeOf(error) !== 'EBUSY') throw error;
        return fill(path, part);
      });
    }
    await syncFolder(dirname(path));
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
