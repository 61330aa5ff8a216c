/**
 * Reads the rows of one Parquet file, in their order.
 *
 * Guarantees: memory does not depend on the size of the file. Reading can begin at any row. A file that changes while
 * it is read is an error. `close` releases the file at any time.
 */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { MillraceError } from '../../connect/index.js';
import { fileError, messageOf, type FileStore } from '../../connect/files.js';
import { storeOf } from '../files/file-place.js';
import { download, newCopyFolder } from '../files/local-copy.js';
import type { RowPoint, RowReader } from '../files/row-reader.js';
import { assertKnownColumn, quotedList } from '../sql/identifiers.js';
import { DuckdbSession, type ChunkReader } from './duckdb-session.js';
import { literal } from './input-files.js';
import { rowMaker, type DuckdbFields } from './row-chunks.js';

export interface ParquetReaderOptions {
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore | undefined;
  /** The columns that are read. Default: all. */
  readonly columns: readonly string[] | undefined;
  /** The number of the row at which reading begins, from 0. */
  readonly start: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Opens the file. Throws MILLRACE_FILE if there is none, or if it is no Parquet file, and MILLRACE_INVALID_OPTION for
 * unknown columns.
 */
export async function openParquetReader(options: ParquetReaderOptions): Promise<RowReader<DuckdbFields>> {
  const store = await storeOf(options.path, options.store);
  if (store === undefined) return openOnDisk(options, () => Promise.resolve());
  // DuckDB reads the end of a file first, and can open only files on the disk without an extension.
  const folder = await newCopyFolder();
  try {
    const path = join(folder.path, basename(options.path));
    await download(store, options.path, path, options.signal);
    return await openOnDisk({ ...options, path }, () => folder.remove());
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** @param release called when the reader is closed. */
async function openOnDisk(options: ParquetReaderOptions, release: () => Promise<void>): Promise<ParquetReader> {
  const { path, columns, start, signal } = options;
  const version = await versionOf(path);
  const session = await DuckdbSession.open(signal);
  try {
    const table = `read_parquet(${pathLiteral(path)})`;
    const known = await notParquet(session.columnsOf(path, table));
    const names = known.map(({ name }) => name);
    for (const name of columns ?? []) assertKnownColumn(path, name, names);
    const [[rows] = []] = await session.rows(path, `SELECT num_rows FROM parquet_file_metadata(${pathLiteral(path)})`);
    // DuckDB skips row groups before the start by their metadata.
    const from = `${table.slice(0, -1)}, file_row_number = true) WHERE file_row_number >= ${start}`;
    const chunks = await session.query(path, `SELECT ${quotedList(columns ?? names)} FROM ${from}`);
    return new ParquetReader({ path, session, chunks, start, rows: Number(rows), version, release });
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** The path as a literal without patterns: otherwise, DuckDB would read `[`, `*` and `?` in it as a pattern. */
export function pathLiteral(path: string): string {
  return literal(resolve(path).replace(/[[*?]/g, (sign) => `[${sign}]`));
}

async function notParquet<T>(opening: Promise<T>): Promise<T> {
  try {
    return await opening;
  } catch (error) {
    if ((error as MillraceError).code === 'MILLRACE_ABORTED') throw error;
    throw new MillraceError('MILLRACE_FILE', `Cannot read ${messageOf(error)}`, { cause: error });
  }
}

interface FileVersion {
  readonly size: number;
  readonly changedAt: number;
}

async function versionOf(path: string): Promise<FileVersion> {
  try {
    const facts = await stat(path);
    if (!facts.isFile()) throw Object.assign(new Error('it is no regular file'), { code: 'EISDIR' });
    return { size: facts.size, changedAt: facts.mtimeMs };
  } catch (error) {
    throw fileError('read', path, error);
  }
}

interface ParquetReaderParts {
  readonly path: string;
  readonly session: DuckdbSession;
  readonly chunks: ChunkReader;
  readonly start: number;
  /** The number of rows in the file. */
  readonly rows: number;
  readonly version: FileVersion;
  readonly release: () => Promise<void>;
}

class ParquetReader implements RowReader<DuckdbFields> {
  private readonly parts: ParquetReaderParts;
  private readonly makeRows: ReturnType<typeof rowMaker>;
  private rows: readonly DuckdbFields[] = [];
  private at = 0;
  /** The number of rows that were returned. */
  private count = 0;
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(parts: ParquetReaderParts) {
    this.parts = parts;
    this.makeRows = rowMaker(parts.chunks, parts.path);
  }

  get bytesBefore(): number {
    const { start, rows, version } = this.parts;
    return rows === 0 ? version.size : (version.size * (start + this.count)) / rows;
  }

  async read(max: number): Promise<readonly DuckdbFields[] | null> {
    const isAtEnd = await this.isAtEnd();
    if (this.failure !== undefined) throw this.failure.error;
    if (isAtEnd) return null;
    const rows = this.rows.slice(this.at, this.at + max);
    this.at += rows.length;
    this.count += rows.length;
    return rows;
  }

  async isAtEnd(): Promise<boolean> {
    if (this.at < this.rows.length) return false;
    if (this.isOver) return this.failure === undefined;
    try {
      const chunk = await this.parts.chunks.next();
      this.rows = chunk === null ? [] : this.makeRows(chunk);
      this.at = 0;
      if (chunk !== null) return false;
      await this.assertUnchanged();
    } catch (error) {
      this.failure = { error };
    }
    this.isOver = true;
    // The next read throws the error.
    return this.failure === undefined;
  }

  pointBefore(row: number): RowPoint {
    const start = this.parts.start + row;
    return { rows: row, start, line: start + 1 };
  }

  async close(): Promise<void> {
    this.isOver = true;
    this.rows = [];
    await this.parts.session.close();
    await this.parts.release();
  }

  private async assertUnchanged(): Promise<void> {
    const { path, version } = this.parts;
    const now = await versionOf(path);
    if (now.size === version.size && now.changedAt === version.changedAt) return;
    throw new MillraceError(
      'MILLRACE_FILE',
      `Cannot read ${path}: it changed while it was read. Let no other program write it during a run`,
    );
  }
}
