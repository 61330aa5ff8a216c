/**
 * Reads a CSV file as rows of named fields, pulled as there is room, with the line of every row.
 *
 * Promises: memory does not depend on the size of the file (a chunk, the rows of it, and at most one open record); a
 * row that is broken comes out as a `CsvBadRow` and the next rows follow; what makes the whole file unreadable is thrown
 * as one sentence that names the file, the line, what was got and the fix; no field is padded, cut, dropped or decoded
 * into something else without an error. Where records begin and end, and whether their quotes are sound, is found first
 * (record-boundaries). A row without quotes then is its text between delimiters; fast-csv reads the others (quoted-rows).
 */
import { MillraceError, describeThrown } from '../../core/errors.js';
import { BlockText } from './block-text.js';
import { isPacked, openByteSource, type ByteSource } from './byte-source.js';
import { checkHeader, list } from './csv-header.js';
import { resolveReaderOptions, type CsvReaderOptions, type ResolvedReaderOptions } from './csv-reader-options.js';
import { isBlank, isRow, RecordBlocks, type RecordBlock } from './record-blocks.js';
import type { QuotedRows } from './quoted-rows.js';
import type { QuoteFault, RecordSpan } from './record-boundaries.js';

export type { CsvReaderOptions };

/** A row with the fields of the header's columns. */
export interface CsvRow {
  /** The line of the file it starts on, from 1. */
  readonly line: number;
  readonly values: Record<string, string>;
}

/** A row that could not be read; told from a `CsvRow` by `'error' in item`. */
export interface CsvBadRow {
  readonly line: number;
  /** The row as it stands in the file, without its line end. */
  readonly text: string;
  /** MILLRACE_CSV, with the file and line in its message. */
  readonly error: MillraceError;
}

export type CsvItem = CsvRow | CsvBadRow;

/** A place in a file for `byteRange`, `startLine` and `headerNames`. Plain data. */
export interface CsvPoint {
  /** How many items come before it. */
  readonly items: number;
  readonly start: number;
  readonly line: number;
  readonly columns: readonly string[];
}

/** At most one `read` is outstanding. */
export interface CsvReader {
  /** The columns of the file, in its order. */
  readonly columns: readonly string[];
  /** 1 to `max` rows, or null at the end and after `close`. After an error every read gives that error. */
  read(max: number): Promise<readonly CsvItem[] | null>;
  /**
   * A place from which the item with this number (from 0) can be read again, at it or shortly before it; undefined where
   * the file can only be read from its beginning. Numbers must not go down from call to call.
   */
  pointBefore(item: number): CsvPoint | undefined;
  /** How many bytes of the file lie before what is read now; undefined where they cannot be told (.gz, UTF-16). */
  readonly bytesBefore: number | undefined;
  /** Releases the file; may be called at any time, also twice. */
  close(): Promise<void>;
}

/** The most places kept; beyond it there are gaps, and whoever goes on from a place reads over more. */
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
  /** What is left of the block that held the header. */
  private ahead: RecordBlock | null = null;
  private items: readonly CsvItem[] = [];
  private at = 0;
  /** Items of the blocks before the present one. */
  private itemsBefore = 0;
  /** Where the blocks began that may hold the item asked for next; bounded by how far is read ahead of that. */
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

  /** Reads the header, where the file has one. */
  async begin(): Promise<void> {
    const { path, columns, headerNames, delimiter } = this.options;
    if (headerNames !== undefined) {
      this.columns = headerNames;
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
      this.columns = names;
      return;
    }
    throwIfAborted(this.options);
    const wanted = columns.length === 0 ? '' : ` with ${list(columns)}`;
    throw new MillraceError('MILLRACE_CSV', `${path} is empty: expected a header row${wanted}`);
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
        this.itemsBefore += this.items.length;
        this.at = 0;
      }
    } catch (error) {
      throwIfAborted(this.options);
      // Closed while it was reading: what the file said about that is nobody's business any more.
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

  pointBefore(item: number): CsvPoint | undefined {
    while (this.points[1] !== undefined && this.points[1].items <= item) this.points.shift();
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
    this.points.push({ items: this.itemsBefore, start: first.start, line: first.line, columns: this.columns });
  }

  private async itemsOf(block: RecordBlock): Promise<CsvItem[]> {
    this.text.check(block);
    const textOf = this.text.rowsOf(block);
    const items: CsvItem[] = [];
    const quoted: { readonly at: number; readonly span: RecordSpan }[] = [];
    for (const span of block.spans) {
      const bad = this.badRow(block, span);
      if (bad === null) continue;
      if (bad !== undefined) items.push(bad);
      else if (span.isQuoted) {
        quoted.push({ at: items.length, span });
        items.push(UNREAD);
      } else items.push(this.rowOf(block, span, textOf(span).split(this.options.delimiter)));
    }
    if (quoted[0] === undefined) return items;
    const texts = quoted.map(({ span }) => textOf(span));
    const rows = await this.readQuoted(texts, quoted[0].span.line);
    for (const [i, { at, span }] of quoted.entries()) {
      const fields = rows[i] as string[];
      // fast-csv drops a first field that is nothing but white space.
      if (fields[0] === '') fields[0] = this.firstOf(texts[i] as string);
      items[at] = this.rowOf(block, span, fields);
    }
    return items;
  }

  private async readQuoted(rows: readonly string[], line: number): Promise<string[][]> {
    try {
      // Most files have no quotes, and need not wait for what reads them.
      this.quotedRows ??= new (await import('./quoted-rows.js')).QuotedRows(this.options.delimiter);
      return await this.quotedRows.read(rows);
    } catch (error) {
      const what = `${this.options.path}, in the rows from line ${line} on: ${describeThrown(error)}`;
      throw new MillraceError('MILLRACE_CSV', what, { cause: error });
    }
  }

  /** undefined where the row is sound, null where it is no row. */
  private badRow(block: RecordBlock, span: RecordSpan): CsvBadRow | null | undefined {
    const { fault, fields, line } = span;
    const expected = this.columns.length;
    if (fault === undefined && fields === expected) return undefined;
    if (!isRow(block, span, expected)) return null;
    const where = `${this.options.path}, line ${fault?.line ?? line}`;
    const what =
      fault === undefined
        ? `expected ${expected} ${expected === 1 ? 'field' : 'fields'}, got ${fields}; ` +
          (fields < expected ? 'add what is missing' : 'quote a field that holds the delimiter')
        : describeFault(fault, this.columns[fault.field - 1]);
    return { line, text: this.text.of(block, span), error: new MillraceError('MILLRACE_CSV', `${where}: ${what}`) };
  }

  private rowOf(block: RecordBlock, span: RecordSpan, fields: readonly string[]): CsvItem {
    const { columns } = this;
    const { line } = span;
    if (fields.length !== columns.length) {
      const what = `${fields.length} fields were read where there are ${columns.length}`;
      const error = new MillraceError('MILLRACE_CSV', `${this.options.path}, line ${line}: ${what}`);
      return { line, text: this.text.of(block, span), error };
    }
    const values: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as string;
      if (column !== '') values[column] = fields[i] as string;
    }
    return { line, values };
  }

  private firstOf(text: string): string {
    const [first = ''] = text.split(this.options.delimiter, 1);
    return first.includes('"') ? '' : first;
  }
}

/** Holds the place of a row that fast-csv has not read yet. */
const UNREAD: CsvItem = { line: 0, values: {} };

export function throwIfAborted({ path, signal }: Pick<ResolvedReaderOptions, 'path' | 'signal'>): void {
  if (signal?.aborted !== true) return;
  throw new MillraceError('MILLRACE_ABORTED', `Reading ${path} was cancelled`, { cause: signal.reason });
}

function describeFault({ kind, field }: QuoteFault, column?: string): string {
  const name = column === undefined || column === '' ? `field ${field}` : `field ${field} ('${column}')`;
  return kind === 'bare quote'
    ? `${name} has a quote in it but does not start with one; quote the whole field and double the quotes in it ("")`
    : `${name} goes on behind its closing quote; double the quotes in it ("")`;
}
