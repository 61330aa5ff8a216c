/**
 * Groups bytes into blocks of complete records, with the position of each record.
 *
 * Guarantees: a record never spans two blocks. Memory is one chunk plus the open record, of which at most `maxRowBytes`
 * are kept, and a sample of lines behind them. A NUL byte, a record that is too long and a quote that is never closed
 * each cost one record. A quote counts as never closed if most of the first `SAMPLE_LINES` lines in it are rows
 * themselves; then only the line of the quote is lost, and reading continues with the next line. In a record that is too
 * long, reading continues with the first line behind the allowed bytes that begins such a sample. The records do not
 * depend on how the bytes are divided into chunks.
 */
import { MillraceError } from '../../connect/values.js';
import type { ByteSource } from '../files/byte-source.js';
import type { CsvDialect } from './csv-dialect.js';
import { RecordScanner, type CrossingField, type RecordSpan } from './record-boundaries.js';
import { RowSearch, type FoundRow, type LineKind } from './row-search.js';

export interface RecordBlock {
  readonly bytes: Buffer;
  /** Offset of `bytes[0]` in the input. The offsets of the spans are also offsets in the input. */
  readonly start: number;
  /** The records. At least one. */
  readonly spans: readonly RecordSpan[];
}

export interface RecordBlocksOptions {
  readonly path: string;
  readonly dialect: CsvDialect;
  readonly isUtf8: boolean;
  readonly maxRowBytes: number;
  /** Offset and line of the first byte. */
  readonly offset: number;
  readonly line: number;
  /** The number of columns; undefined if `header` will be called before `next`. */
  readonly columns: number | undefined;
}

/** The record whose bytes are dropped, because it is too long. */
interface LongRecord {
  readonly start: number;
  /** The line of the quote that is open in it, otherwise its first line. */
  readonly line: number;
  readonly head: Buffer;
  /** The offset of its first NUL byte. */
  nulAt: number | undefined;
  readonly search: RowSearch;
}

/** The number of lines that decide whether an open quote contains rows. */
const SAMPLE_LINES = 100;
/** The number of bytes of a record that is too long that are kept for its message. */
const HEAD_BYTES = 1024;
const LF = 10;
const CR = 13;

export class RecordBlocks {
  private readonly source: ByteSource;
  private readonly options: RecordBlocksOptions;
  private columns: number | undefined;
  private scanner: RecordScanner;
  /** The bytes of the open record, from chunks that ended within it. Empty while they are dropped. */
  private openChunks: Buffer[] = [];
  private hasOpenNul = false;
  private long: LongRecord | undefined;
  /** Bytes to scan before the next chunk. */
  private pending: Buffer | undefined;
  /** The offset of the next byte to scan. */
  private offset: number;
  /**
   * The regions in which records were cut off: from the beginning of a record to the last byte that the decision
   * depended on.
   */
  private doubtful: readonly { readonly from: number; readonly to: number }[] = [];
  private isSourceOver = false;

  constructor(source: ByteSource, options: RecordBlocksOptions) {
    this.source = source;
    this.options = options;
    this.columns = options.columns;
    this.scanner = this.scannerAt(options.offset, options.line);
    this.offset = options.offset;
  }

  /**
   * Whether a part of the file may begin at this record of the last block. If only later bytes have shown that a record
   * begins here, it may not: the reader of the part before does not see these bytes.
   */
  isSettledAt(start: number): boolean {
    return !this.doubtful.some(({ from, to }) => start > from && start < to);
  }

  /**
   * Passes the header, the first record that is not blank, to `columnsOf`, which returns the number of columns.
   * Resolves with false if there is no header. Call it before `next`.
   */
  async header(columnsOf: (block: RecordBlock, span: RecordSpan) => Promise<number>): Promise<boolean> {
    for (let block = await this.next(); block !== null; block = await this.next()) {
      const { bytes, start, spans } = block;
      const span = spans.find((candidate) => !isBlank(block, candidate));
      if (span === undefined) continue;
      this.columns = await columnsOf(block, span);
      const end = span.end - start;
      const line = span.line + lineEndsIn(bytes.subarray(span.start - start, end));
      // The bytes after the header are scanned again, now with the number of columns.
      this.restart(Buffer.concat([bytes.subarray(end), ...this.openChunks]), span.end, line);
      return true;
    }
    return false;
  }

  /** The offset and the line of the next byte. */
  get position(): { readonly start: number; readonly line: number } {
    return { start: this.scanner.openStart, line: this.scanner.openLine };
  }

  async next(): Promise<RecordBlock | null> {
    for (;;) {
      const chunk = this.pending ?? (this.isSourceOver ? null : await this.source.next());
      this.pending = undefined;
      if (chunk === null) {
        this.isSourceOver = true;
        return this.finish();
      }
      const block = this.scan(chunk);
      if (block !== null) return block;
    }
  }

  private scan(chunk: Buffer): RecordBlock | null {
    const { scanner, offset, long } = this;
    const start = long === undefined ? scanner.openStart : offset;
    const spans = scanner.scan(chunk);
    this.offset = offset + chunk.length;
    const isUsual =
      long === undefined &&
      !this.hasOpenNul &&
      scanner.openBytes <= this.options.maxRowBytes &&
      !chunk.includes(0) &&
      !spans.some((span) => this.isDoubtful(span));
    if (!isUsual) return this.examine(Buffer.concat([...this.openChunks, chunk]), start, spans);
    const cut = scanner.openStart - offset;
    let bytes: Buffer | undefined;
    if (cut >= 0) {
      const head = chunk.subarray(0, cut);
      if (spans.length > 0) bytes = this.openChunks.length === 0 ? head : Buffer.concat([...this.openChunks, head]);
      this.openChunks = cut < chunk.length ? [chunk.subarray(cut)] : [];
    } else this.openChunks.push(chunk);
    return bytes === undefined ? null : { bytes, start, spans };
  }

  private finish(): RecordBlock | null {
    const { scanner, long } = this;
    const start = long === undefined ? scanner.openStart : this.offset;
    const bytes = Buffer.concat(this.openChunks);
    const span = scanner.finish();
    return span === undefined ? null : this.examine(bytes, start, [span]);
  }

  /** Decides about records with a NUL byte, with too many bytes, or with quotes that may contain other records. */
  private examine(bytes: Buffer, start: number, found: readonly RecordSpan[]): RecordBlock | null {
    const { scanner } = this;
    const { maxRowBytes } = this.options;
    const spans: RecordSpan[] = [];
    const recordAt = (from: number, to?: number): Buffer =>
      bytes.subarray(Math.max(0, from - start), to === undefined ? bytes.length : to - start);
    for (const span of found) {
      const record = recordAt(span.start, span.end);
      const crossing = this.isDoubtful(span) ? this.swallowerIn(record, span) : undefined;
      if (crossing !== undefined) return this.cutOff(bytes, start, [...spans, span], crossing);
      if (span.end - span.start > maxRowBytes) {
        const search = this.long?.start === span.start ? this.long.search : this.searchOf(span);
        const row = this.rowIn(search, span, record);
        if (row !== undefined) {
          const rest = Buffer.concat([search.rest(row), bytes.subarray(span.end - start)]);
          return this.cutOffLong(bytes, start, [...spans, span], row, rest);
        }
      }
      spans.push(this.judged(span, record));
    }
    // A comment that was longer than a row may be has ended. It is not a row.
    if (this.long?.start !== scanner.openStart) this.long = undefined;
    const open = recordAt(scanner.openStart);
    let row: FoundRow | undefined;
    if (this.long !== undefined) {
      this.long.nulAt ??= nulIn(bytes, start);
      row = this.columns === undefined ? undefined : this.long.search.add(bytes);
    } else if (scanner.openBytes > maxRowBytes && !(this.columns === undefined && spans.length > 0)) {
      if (this.columns === undefined && !scanner.isInComment) this.refuseHeader();
      const span = { start: scanner.openStart, end: this.offset, line: scanner.openLine };
      const crossing = this.swallowerIn(open, span);
      if (crossing !== undefined) {
        const cut = { ...span, textEnd: span.end, fields: crossing.field, isQuoted: true, isOdd: false };
        return this.cutOff(bytes, start, [...spans, { ...cut, fault: undefined, crossing }], crossing);
      }
      const line = this.lineOfLong(open, span);
      const head = Buffer.from(open.subarray(0, Math.min(HEAD_BYTES, maxRowBytes)));
      const search = this.searchOf(span);
      this.long = { start: span.start, line, head, nulAt: nulIn(open, span.start), search };
      row = this.columns === undefined ? undefined : search.add(open);
    }
    if (this.long !== undefined && row !== undefined) {
      const [end, fields] = [row.start, 1];
      const span = { start: this.long.start, end, line: scanner.openLine, textEnd: end, fields, isQuoted: true };
      const cut: RecordSpan = { ...span, isOdd: false, fault: undefined, crossing: undefined };
      return this.cutOffLong(bytes, start, [...spans, cut], row, this.long.search.rest(row));
    }
    this.openChunks = this.long !== undefined || open.length === 0 ? [] : [open];
    this.hasOpenNul = this.openChunks.some((chunk) => chunk.includes(0));
    if (spans.length === 0) return null;
    return { bytes: recordAt(start, Math.max(start, scanner.openStart)), start, spans };
  }

  /** Returns the record, with a fault if its bytes show one. */
  private judged(span: RecordSpan, record: Buffer): RecordSpan {
    const { long } = this;
    const length = span.end - span.start;
    if (long?.start === span.start) {
      this.long = undefined;
      const { head, line } = long;
      const nulAt = long.nulAt ?? nulIn(record, span.end - record.length);
      const fault =
        nulAt === undefined
          ? ({ kind: 'too long', field: 0, line, byte: length, head } as const)
          : ({ kind: 'NUL byte', field: 0, line: span.line, byte: nulAt, head } as const);
      return { ...span, fault };
    }
    const isLong = length > this.options.maxRowBytes;
    const head = isLong ? { head: record.subarray(0, Math.min(HEAD_BYTES, this.options.maxRowBytes)) } : {};
    const nulAt = nulIn(record, span.start);
    if (nulAt !== undefined) {
      const line = isLong ? span.line : span.line + lineEndsIn(record.subarray(0, nulAt - span.start));
      return { ...span, fault: { kind: 'NUL byte', field: 0, line, byte: nulAt, ...head } };
    }
    if (!isLong) return span;
    const line = this.lineOfLong(record, span);
    return { ...span, fault: { kind: 'too long', field: 0, line, byte: length, ...head } };
  }

  /**
   * The line of the quote that is open at the end of the allowed bytes of a long record; without one, the line of the
   * record.
   */
  private lineOfLong(record: Buffer, { start, line }: Pick<RecordSpan, 'start' | 'line'>): number {
    const prefix = this.scannerAt(start, line);
    prefix.scan(record.subarray(0, this.options.maxRowBytes));
    return prefix.openQuoteLine ?? line;
  }

  /** True if the quotes of the record may contain other records, or if it is too long. */
  private isDoubtful({ start, end, fault, fields, isOdd, crossing }: RecordSpan): boolean {
    if (end - start > this.options.maxRowBytes) return true;
    return crossing !== undefined && (fault !== undefined || isOdd || fields !== this.columns);
  }

  /**
   * The quoted field of the record that contains rows; undefined if there is none. Only the allowed bytes of a record
   * that is too long count, so the result does not depend on the chunks.
   */
  private swallowerIn(
    record: Buffer,
    { start, line, crossing }: Pick<RecordSpan, 'start' | 'line'> & { readonly crossing?: CrossingField | undefined },
  ): CrossingField | undefined {
    const { maxRowBytes } = this.options;
    if (this.columns === undefined || this.long !== undefined) return undefined;
    let region = record;
    let field = crossing;
    if (record.length > maxRowBytes) {
      region = record.subarray(0, maxRowBytes);
      const prefix = this.scannerAt(start, line);
      prefix.scan(region);
      field = prefix.openCrossing;
    }
    if (field === undefined) return undefined;
    const lines = region.subarray(afterLine(region, field.start - start));
    return this.holdsRows(lines, record.length > maxRowBytes) ? field : undefined;
  }

  /** Whether most of these lines are rows by themselves. */
  private holdsRows(bytes: Buffer, isCutOff: boolean): boolean {
    let rows = 0;
    let lines = 0;
    for (let at = 0; at < bytes.length && lines < SAMPLE_LINES;) {
      const end = afterLine(bytes, at);
      const line = bytes.subarray(at, end);
      at = end;
      if (isCutOff && at === bytes.length) break;
      const kind = this.kindOf(line);
      if (kind === 'blank') continue;
      lines++;
      if (kind === 'row' || (kind === 'beginning' && at === bytes.length)) rows++;
    }
    return rows * 2 > lines;
  }

  private searchOf({ start, line }: Pick<RecordSpan, 'start' | 'line'>): RowSearch {
    const { maxRowBytes } = this.options;
    return new RowSearch({
      start,
      line,
      maxRowBytes,
      sampleLines: SAMPLE_LINES,
      kindOf: (bytes) => this.kindOf(bytes),
    });
  }

  /** Passes the last bytes of a record to its search. A record that is valid apart from its length has no rows in it. */
  private rowIn(search: RowSearch, span: RecordSpan, bytes: Buffer): FoundRow | undefined {
    const { columns } = this;
    if (columns === undefined) return undefined;
    const isValid = span.fault === undefined && !span.isOdd && span.fields === columns;
    return search.add(bytes) ?? (isValid ? undefined : search.finish());
  }

  private kindOf(line: Buffer): LineKind {
    const scanner = this.scannerAt(0, 1);
    const span = scanner.scan(line)[0] ?? scanner.finish();
    if (span === undefined || (span.fields === 1 && isBlank({ bytes: line, start: 0 }, span))) return 'blank';
    const { columns = 0 } = this;
    if (span.fault === undefined) return span.fields === columns ? 'row' : 'other';
    const isBegun = span.fault.kind === 'unclosed quote' && span.fields > 1 && span.fields <= columns;
    return isBegun ? 'beginning' : 'other';
  }

  /** Ends the last of these records, which is too long, in front of a row, and scans the row again with what follows. */
  private cutOffLong(
    bytes: Buffer,
    start: number,
    spans: readonly RecordSpan[],
    row: FoundRow,
    rest: Buffer,
  ): RecordBlock {
    const span = spans.at(-1) as RecordSpan;
    const at = Math.max(0, row.start - start);
    const cut = { ...span, end: row.start, textEnd: row.start, crossing: undefined };
    if (this.long?.nulAt !== undefined && this.long.nulAt >= row.start) this.long.nulAt = undefined;
    const judged = this.judged(cut, bytes.subarray(Math.max(0, span.start - start), at));
    this.doubtful = [...this.doubtful.filter(({ to }) => to > start), { from: span.start, to: row.seenTo }];
    this.restart(rest, row.start, row.line);
    return { bytes: bytes.subarray(0, at), start, spans: [...spans.slice(0, -1), judged] };
  }

  /** Ends the last of these records with the line of the quote, and scans the bytes after it again. */
  private cutOff(
    bytes: Buffer,
    start: number,
    spans: readonly RecordSpan[],
    { field, line, start: quoteAt }: CrossingField,
  ): RecordBlock {
    const span = spans.at(-1) as RecordSpan;
    const at = afterLine(bytes, quoteAt - start);
    const end = start + at;
    let textEnd = at;
    while (bytes[textEnd - 1] === LF || bytes[textEnd - 1] === CR) textEnd--;
    const { maxRowBytes } = this.options;
    const cut: RecordSpan = {
      ...span,
      end,
      textEnd: start + textEnd,
      fault: { kind: 'unclosed quote', field, line },
      crossing: undefined,
    };
    const region = { from: span.start, to: Math.min(span.end, span.start + maxRowBytes) };
    this.doubtful = [...this.doubtful.filter(({ to }) => to > start), region];
    this.restart(bytes.subarray(at), end, line + 1);
    return { bytes: bytes.subarray(0, at), start, spans: [...spans.slice(0, -1), cut] };
  }

  private restart(bytes: Buffer, offset: number, line: number): void {
    this.scanner = this.scannerAt(offset, line);
    this.offset = offset;
    this.openChunks = [];
    this.hasOpenNul = false;
    this.long = undefined;
    this.pending = bytes.length === 0 ? undefined : bytes;
  }

  private scannerAt(offset: number, line: number): RecordScanner {
    const { dialect, isUtf8 } = this.options;
    return new RecordScanner({ ...dialect, isUtf8, offset, line });
  }

  private refuseHeader(): never {
    const { path, maxRowBytes } = this.options;
    const { openQuoteLine, openLine } = this.scanner;
    const what = openQuoteLine === undefined ? 'the header does not end' : 'the quote opened here is not closed';
    throw new MillraceError(
      'MILLRACE_CSV',
      `${path}, line ${openQuoteLine ?? openLine}: ${what} within ${maxRowBytes} bytes; ` +
        (openQuoteLine === undefined
          ? 'check its line ends, or raise the option `maxRowBytes`'
          : 'close it, or raise the option `maxRowBytes`'),
    );
  }
}

/** The offset of the first NUL byte in bytes that begin at this offset. */
function nulIn(bytes: Buffer, start: number): number | undefined {
  const at = bytes.indexOf(0);
  return at < 0 ? undefined : start + at;
}

/** The index after the line end that follows this index, or the length. */
function afterLine(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === LF) return at + 1;
    if (bytes[at] === CR) return bytes[at + 1] === LF ? at + 2 : at + 1;
  }
  return bytes.length;
}

/** The number of line ends, each of them LF, CRLF or CR. */
export function lineEndsIn(bytes: Buffer): number {
  let count = 0;
  for (let at = afterLine(bytes, 0); at <= bytes.length && at > 0;) {
    const last = bytes[at - 1];
    if (last === LF || last === CR) count++;
    if (at === bytes.length) break;
    at = afterLine(bytes, at);
  }
  return count;
}

/** Whether a line contains only spaces and tabs. */
export function isBlank({ bytes, start }: Pick<RecordBlock, 'bytes' | 'start'>, span: RecordSpan): boolean {
  for (let at = span.start - start; at < span.textEnd - start; at++) {
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  }
  return true;
}

/** Whether a record counts as a row, valid or broken, of a file with this number of columns. A blank line does not. */
export function isRow(block: RecordBlock, span: RecordSpan, columns: number): boolean {
  if (span.fault !== undefined || span.fields === columns) return true;
  return span.fields !== 1 || !isBlank(block, span);
}
