/**
 * Reads a CSV file as rows of named fields, pulled while there is room, with the line of every row.
 *
 * Guarantees: memory does not depend on the size of the file (one chunk, its rows, and at most one open record). A
 * broken row is returned as a `CsvBadRow`, and the next rows follow. An error that makes the whole file unreadable is
 * one sentence with the file, the line, the cause and the fix. No field is padded, cut, dropped or decoded wrongly
 * without an error.
 *
 * The reader first finds where records begin and end, and whether their quotes are valid (record-boundaries). It splits
 * rows without quotes at the delimiters itself; fast-csv reads the others (quoted-rows).
 */
import { MillraceError, describeThrown } from '../../model/errors.js';
import { BlockText } from './block-text.js';
import { isPacked, openByteSource, type ByteSource } from './byte-source.js';
import { checkHeader, list } from './csv-header.js';
import { resolveReaderOptions, type CsvReaderOptions, type ResolvedReaderOptions } from './csv-reader-options.js';
import { isBlank, isRow, RecordBlocks, type RecordBlock } from './record-blocks.js';
import type { QuotedRows } from './quoted-rows.js';
import { ShareFilter } from './row-share.js';
import { describeFault, type RecordSpan } from './record-boundaries.js';

export type { CsvReaderOptions };

/** A row with the fields of the header's columns. */
export interface CsvRow {
  /**
   * The number of the row among the rows to read, from 0. A reader of a share also counts the rows of the other shares.
   */
  readonly number: number;
  /** The line of the file it starts on, from 1. */
  readonly line: number;
  readonly values: Record<string, string>;
}

/** A row that could not be read. `'error' in item` distinguishes it from a `CsvRow`. */
export interface CsvBadRow {
  readonly number: number;
  readonly line: number;
  /** The text of the row in the file, without its line end. */
  readonly text: string;
  /** MILLRACE_CSV, with the file and line in its message. */
  readonly error: MillraceError;
}

export type CsvItem = CsvRow | CsvBadRow;

/** A place in a file for `byteRange`, `startLine` and `headerNames`. Plain data. */
export interface CsvPoint {
  /** The number of rows before it. */
  readonly rows: number;
  readonly start: number;
  readonly line: number;
  readonly columns: readonly string[];
}

/** Contract: at most one `read` is outstanding. */
export interface CsvReader {
  /** The columns of the file, in its order. */
  readonly columns: readonly string[];
  /**
   * Returns 1 to `max` rows, or null at the end and after `close`. After an error every read rejects with that error.
   */
  read(max: number): Promise<readonly CsvItem[] | null>;
  /**
   * A place from which the row with this number can be read again: at the row or shortly before it. Undefined if the
   * file can only be read from its beginning. The number must not decrease from call to call.
   */
  pointBefore(row: number): CsvPoint | undefined;
  /** The number of bytes of the file before the current position; undefined if it is unknown (.gz, UTF-16). */
  readonly bytesBefore: number | undefined;
  /** Releases the file; may be called at any time, also twice. */
  close(): Promise<void>;
}

/** The most places kept. Beyond that there are gaps, and a resumed reader skips more rows. */
const MAX_POINTS = 1024;

/** Opens a file and reads its header; throws MILLRACE_FILE, MILLRACE_CSV or MILLRACE_INVALID_OPTION. */
export async function openCsvReader(options: CsvReaderOptions): Promise<CsvReader> {
  const resolved = resolveReaderOptions(options);
  throwIfAborted(resolved);
  const source = await openByteSource(resolved);
  const reader = new CsvFileReader(source, resolved);
  try {
    await reader.begin();
  } catch (error) {
    await reader.close();
    throw error;
  }
  return reader;
}

class CsvFileReader implements CsvReader {
  columns: readonly string[] = [];
  bytesBefore: number | undefined;
  private readonly options: ResolvedReaderOptions;
  private readonly source: ByteSource;
  private readonly blocks: RecordBlocks;
  private quotedRows: QuotedRows | undefined;
  private readonly text: BlockText;
  /** The rest of the block that contained the header. */
  private ahead: RecordBlock | null = null;
  private items: readonly CsvItem[] = [];
  private at = 0;
  /** The number of the next row. */
  private nextRow = 0;
  private share: ShareFilter | undefined;
  /**
   * The beginnings of the blocks that may contain the next requested row. Limited by the distance that is read ahead.
   */
  private points: CsvPoint[] = [];
  private failure: unknown;
  private closing: Promise<void> | undefined;
  private readonly onAbort = (): void => {
    this.close().catch(() => undefined);
  };

  constructor(source: ByteSource, options: ResolvedReaderOptions) {
    this.source = source;
    this.options = options;
    const { path, delimiter, maxRowBytes, byteRange, startLine } = options;
    const offset = (byteRange?.start ?? 0) + source.skippedBytes;
    this.blocks = new RecordBlocks(source, { path, delimiter, maxRowBytes, offset, line: startLine });
    this.text = new BlockText(path, options.encoding);
    options.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  /** Reads the header, if the file has one. */
  async begin(): Promise<void> {
    const { path, columns, headerNames, delimiter } = this.options;
    if (headerNames !== undefined) {
      this.know(headerNames);
      return;
    }
    for (let block = await this.blocks.next(); block !== null; block = await this.blocks.next()) {
      const index = block.spans.findIndex((span) => !isBlank(block, span));
      const span = block.spans[index];
      if (span === undefined) continue;
      this.ahead = { ...block, spans: block.spans.slice(index + 1) };
      const { fault, line } = span;
      const text = this.text.of(block, span);
      if (fault !== undefined) {
        throw new MillraceError('MILLRACE_CSV', `${path}, line ${fault.line}: in the header, ${describeFault(fault)}`);
      }
      const [names = []] = span.isQuoted ? await this.readQuoted([text], line) : [text.split(delimiter)];
      checkHeader({ path, line, names, columns, delimiter });
      this.know(names);
      return;
    }
    throwIfAborted(this.options);
    const wanted = columns.length === 0 ? '' : ` with ${list(columns)}`;
    throw new MillraceError('MILLRACE_CSV', `${path} is empty: expected a header row${wanted}`);
  }

  private know(columns: readonly string[]): void {
    const { share, delimiter, encoding } = this.options;
    this.columns = columns;
    if (share !== undefined) this.share = new ShareFilter({ ...share, columns, delimiter, encoding });
  }

  async read(max: number): Promise<readonly CsvItem[] | null> {
    if (this.failure !== undefined) throw this.failure;
    throwIfAborted(this.options);
    try {
      while (this.at >= this.items.length) {
        if (this.closing !== undefined) return null;
        const block = this.ahead ?? (await this.blocks.next());
        this.ahead = null;
        if (block === null) {
          await this.close();
          return null;
        }
        this.notePoint(block);
        this.items = await this.itemsOf(block);
        this.at = 0;
      }
    } catch (error) {
      throwIfAborted(this.options);
      // The reader was closed during the read, so the error is irrelevant.
      if (this.closing !== undefined) return null;
      this.failure = error;
      await this.close();
      throw error;
    }
    throwIfAborted(this.options);
    const items = this.items.slice(this.at, this.at + Math.max(1, max));
    this.at += items.length;
    if (this.at >= this.items.length) this.items = [];
    return items;
  }

  pointBefore(row: number): CsvPoint | undefined {
    while (this.points[1] !== undefined && this.points[1].rows <= row) this.points.shift();
    return this.points[0];
  }

  close(): Promise<void> {
    return (this.closing ??= this.release());
  }

  private async release(): Promise<void> {
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.items = [];
    this.quotedRows?.close();
    await this.source.close();
  }

  private notePoint({ spans }: RecordBlock): void {
    const { path, encoding } = this.options;
    const [first] = spans;
    if (first === undefined || encoding === 'utf16le' || isPacked(path)) return;
    this.bytesBefore = first.start;
    if (this.points.length === MAX_POINTS) this.points.splice(1, 1);
    this.points.push({ rows: this.nextRow, start: first.start, line: first.line, columns: this.columns });
  }

  private async itemsOf(block: RecordBlock): Promise<CsvItem[]> {
    this.text.check(block);
    const textOf = this.text.rowsOf(block);
    const { share, columns } = this;
    const items: CsvItem[] = [];
    const quoted: { readonly at: number; readonly span: RecordSpan; readonly number: number }[] = [];
    for (const span of block.spans) {
      const isSound = span.fault === undefined && span.fields === columns.length;
      if (!isSound && !isRow(block, span, columns.length)) continue;
      const number = this.nextRow++;
      if (!isSound) {
        if (share?.hasNumber(number) !== false) items.push(this.badRow(block, span, number));
      } else if (span.isQuoted) {
        quoted.push({ at: items.length, span, number });
        items.push(UNREAD);
      } else if (share?.hasPlain(block, span) !== false) {
        items.push(this.rowOf(block, span, number, textOf(span).split(this.options.delimiter)));
      }
    }
    if (quoted[0] === undefined) return items;
    const texts = quoted.map(({ span }) => textOf(span));
    const rows = await this.readQuoted(texts, quoted[0].span.line);
    for (const [i, { at, span, number }] of quoted.entries()) {
      const fields = rows[i] as string[];
      // fast-csv drops a first field that is only white space.
      if (fields[0] === '') fields[0] = this.firstOf(texts[i] as string);
      const item = this.rowOf(block, span, number, fields);
      if (share === undefined || 'error' in item || share.hasText(item.values[share.column] as string))
        items[at] = item;
    }
    return share === undefined ? items : items.filter((item) => item !== UNREAD);
  }

  private async readQuoted(rows: readonly string[], line: number): Promise<string[][]> {
    try {
      // Most files have no quotes and need not load fast-csv.
      this.quotedRows ??= new (await import('./quoted-rows.js')).QuotedRows(this.options.delimiter);
      return await this.quotedRows.read(rows);
    } catch (error) {
      const what = `${this.options.path}, in the rows from line ${line} on: ${describeThrown(error)}`;
      throw new MillraceError('MILLRACE_CSV', what, { cause: error });
    }
  }

  private badRow(block: RecordBlock, span: RecordSpan, number: number): CsvBadRow {
    const { fault, fields, line } = span;
    const expected = this.columns.length;
    const where = `${this.options.path}, line ${fault?.line ?? line}`;
    const what =
      fault === undefined
        ? `expected ${expected} ${expected === 1 ? 'field' : 'fields'}, got ${fields}; ` +
          (fields < expected ? 'add what is missing' : 'quote a field that holds the delimiter')
        : describeFault(fault, this.columns[fault.field - 1]);
    const error = new MillraceError('MILLRACE_CSV', `${where}: ${what}`);
    return { number, line, text: this.text.of(block, span), error };
  }

  private rowOf(block: RecordBlock, span: RecordSpan, number: number, fields: readonly string[]): CsvItem {
    const { columns } = this;
    const { line } = span;
    if (fields.length !== columns.length) {
      const what = `${fields.length} fields were read where there are ${columns.length}`;
      const error = new MillraceError('MILLRACE_CSV', `${this.options.path}, line ${line}: ${what}`);
      return { number, line, text: this.text.of(block, span), error };
    }
    const values: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as string;
      if (column !== '') values[column] = fields[i] as string;
    }
    return { number, line, values };
  }

  private firstOf(text: string): string {
    const [first = ''] = text.split(this.options.delimiter, 1);
    return first.includes('"') ? '' : first;
  }
}

/** A placeholder for a row that fast-csv has not read yet. */
const UNREAD: CsvItem = { number: 0, line: 0, values: {} };

export function throwIfAborted({ path, signal }: Pick<ResolvedReaderOptions, 'path' | 'signal'>): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Reading ${path} was cancelled`, { cause: signal.reason });
}
