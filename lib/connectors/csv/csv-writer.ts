/**
 * Writes rows to a CSV file, which gets its name only when it is whole.
 *
 * Promises: bytes go to `path.part`; `finish` makes them durable (fdatasync) before it renames, so a reader never sees
 * half a file under `path`; memory is bounded, because `write` gives a promise while the disk is behind; a failed write
 * is MILLRACE_FILE with the system's error as its cause, at this `write` or the next, and always at `finish`.
 */
import { once } from 'node:events';
import { open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { MillraceError, describeValue } from '../../core/errors.js';
import { isPacked } from './byte-source.js';
import { duplicatesOf } from './csv-header.js';
import { checkDelimiter } from './csv-reader-options.js';
import { RowFormat } from './csv-row-format.js';
import { fileError } from './file-errors.js';

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
}

export interface CsvWriter {
  /** Bytes that are in the file, packed ones for .gz; what the system has not taken yet is not among them. */
  readonly bytesWritten: number;
  /** Takes the rows; a promise says to wait before the next write. Throws MILLRACE_CSV for a value CSV cannot hold. */
  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void>;
  /** The text of one row, for `writeText`. Throws MILLRACE_CSV for a value CSV cannot hold. */
  encode(row: Readonly<Record<string, unknown>>): string;
  /** Takes encoded rows; a promise says to wait before the next write. */
  writeText(rows: readonly string[]): void | Promise<void>;
  /** Everything is on the disk, under its name. */
  finish(): Promise<void>;
  /** Closes, and leaves `path.part` as it is. */
  abandon(): Promise<void>;
}

/** Text that waits for the disk before `write` asks to wait, in bytes. */
const BUFFER_BYTES = 256 * 1024;
/** The most rows that are made one text. */
const ROWS_AT_ONCE = 4096;

/** Opens `path.part` and writes the header; throws MILLRACE_FILE or MILLRACE_INVALID_OPTION. */
export async function openCsvWriter(options: CsvWriterOptions): Promise<CsvWriter> {
  const { path, columns, signal } = options;
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
    return new CsvFileWriter(await open(`${path}.part`, 'w'), format, path, signal);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

class CsvFileWriter implements CsvWriter {
  private readonly handle: FileHandle;
  private readonly format: RowFormat;
  private readonly path: string;
  private readonly signal: AbortSignal | undefined;
  private readonly file;
  /** What takes the text: the file, or gzip in front of it. */
  private readonly target: Writable;
  private failure: MillraceError | undefined;
  private isOver = false;

  constructor(handle: FileHandle, format: RowFormat, path: string, signal: AbortSignal | undefined) {
    this.handle = handle;
    this.format = format;
    this.path = path;
    this.signal = signal;
    this.file = handle.createWriteStream({ autoClose: false, highWaterMark: BUFFER_BYTES });
    this.target = this.file;
    const fail = (error: unknown): void => {
      this.failure ??= fileError('write', path, error);
    };
    this.file.on('error', fail);
    if (isPacked(path)) {
      const packer = createGzip();
      packer.on('error', fail);
      // pipe, not pipeline, so that a writer waiting at the packer hears of the file's error.
      this.file.on('error', (error) => packer.destroy(error));
      packer.pipe(this.file);
      this.target = packer;
    }
    this.target.write(format.header);
  }

  get bytesWritten(): number {
    return this.file.bytesWritten;
  }

  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void> {
    return this.take(rows, (some) => this.format.text(some));
  }

  encode(row: Readonly<Record<string, unknown>>): string {
    return this.format.text([row]);
  }

  writeText(rows: readonly string[]): void | Promise<void> {
    return this.take(rows, (some) => some.join(''));
  }

  private take<Row>(rows: readonly Row[], textOf: (rows: readonly Row[]) => string): void | Promise<void> {
    if (this.isOver) throw new MillraceError('MILLRACE_FILE', `Cannot write ${this.path}: it is closed already`);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    let hasRoom = true;
    for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
      hasRoom = this.target.write(textOf(rows.slice(from, from + ROWS_AT_ONCE)));
    }
    return hasRoom ? undefined : this.room();
  }

  async finish(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    try {
      if (this.failure !== undefined) throw this.failure;
      this.target.end();
      // Not `finished`: it waits for a close, which is ours to do, after the sync.
      await once(this.file, 'finish');
      await this.handle.datasync();
    } catch (error) {
      await this.release();
      throw fileError('write', this.path, error);
    }
    await this.release();
    try {
      await rename(`${this.path}.part`, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw fileError('write', this.path, error);
    }
  }

  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.release();
  }

  private async release(): Promise<void> {
    const { file, target } = this;
    if (target !== file) target.destroy();
    // The stream holds on to the handle, so that closing the handle itself would wait for ever; destroying the stream
    // waits for a write that is under way, and closes both.
    const closed = new Promise<void>((resolve) => file.once('close', resolve));
    file.destroy();
    await closed;
  }

  private async room(): Promise<void> {
    const { target, signal } = this;
    throwIfAborted(this.path, signal);
    try {
      await once(target, 'drain', signal === undefined ? {} : { signal });
    } catch (error) {
      throwIfAborted(this.path, signal);
      throw this.failure ?? fileError('write', this.path, error);
    }
  }
}

/** Makes the new name durable, where the system lets a folder be synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

function throwIfAborted(path: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Writing ${path} was cancelled`, { cause: signal.reason });
}
