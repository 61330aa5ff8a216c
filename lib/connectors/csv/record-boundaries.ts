/**
 * Finds where the records of a CSV file begin and end, over bytes, in chunks of any size.
 *
 * Guarantees: the records and their lines do not depend on how the bytes are divided into chunks. A line end within
 * quotes does not end a record; LF, CRLF, CR and any mix of them end one. Nothing is decoded or kept, so memory is the
 * numbers of one record. It works for every encoding in which the delimiter, quotes and line ends are single ASCII
 * bytes (UTF-8, Latin-1).
 *
 * A quote opens a field only at its beginning (with `trim`: after blanks), and after the closing quote the field ends.
 * A quote or text anywhere else is a fault of its record only, or with `relaxQuotes` a part of the field: from there on
 * the field counts as bare, so the record ends with its line. A byte order mark at the beginning of a record, as in
 * files that were joined, is not part of a record; nor is a comment.
 */
import { DEFAULT_DIALECT, type CsvDialect } from './csv-dialect.js';

/** A fault of a record. */
export interface RowFault {
  /**
   * Faults of quotes: a quote within a bare field; text after a closing quote; blanks outside of the quotes; a quote
   * that is still open at the end of the bytes, or that the quote of another field has closed. Faults of the record: a
   * NUL byte; bytes that are not characters; more bytes than are allowed.
   */
  readonly kind:
    | 'bare quote'
    | 'text after quote'
    | 'blank outside quotes'
    | 'unclosed quote'
    | 'NUL byte'
    | 'invalid byte'
    | 'too long';
  /** The number of the field, from 1. 0 if the fault has none. */
  readonly field: number;
  /** The line of the fault (for an unclosed quote: of the opening quote), from 1. */
  readonly line: number;
  /** The offset of the wrong byte, or the length of a record that is too long. */
  readonly byte?: number;
  /** The beginning of a record whose other bytes were not kept. */
  readonly head?: Buffer;
}

/** A quoted field with a line end in it. */
export interface CrossingField {
  readonly field: number;
  /** The line of its opening quote, and the offset. */
  readonly line: number;
  readonly start: number;
}

/**
 * One record. A blank line is not a record, so there may be gaps between records. Offsets are in bytes of the whole
 * input.
 */
export interface RecordSpan {
  readonly start: number;
  /** The offset after the last byte of its text, before the line end. */
  readonly textEnd: number;
  /** The offset after the line end. */
  readonly end: number;
  /** The line of the input at which it starts, from 1. */
  readonly line: number;
  /** The number of fields, at least 1. */
  readonly fields: number;
  /**
   * True if a quote opens one of its fields. Otherwise, without a fault, its fields are the text between the
   * delimiters.
   */
  readonly isQuoted: boolean;
  readonly fault: RowFault | undefined;
  /** True if `relaxQuotes` has tolerated wrong quotes. */
  readonly isOdd: boolean;
  /** The last quoted field with a line end in it, up to the first fault. */
  readonly crossing: CrossingField | undefined;
}

export interface RecordScannerOptions extends Partial<CsvDialect> {
  /** Whether the bytes are UTF-8, in which a byte order mark may be recognised. Default true. */
  readonly isUtf8?: boolean;
  /** Offset of the first byte that will be scanned; it must be where a record begins. Default 0. */
  readonly offset?: number;
  /** The line of that byte. Default 1. */
  readonly line?: number;
}

const LF = 10;
const CR = 13;
const NO_BYTE = -1;
const MARK = [0xef, 0xbb, 0xbf] as const;

// The classes of bytes. A bare field consists of ORDINARY and BLANK bytes.
const ORDINARY = 0;
const BLANK = 1;
const DELIMITER = 2;
const QUOTE_MARK = 3;
const LINE_END = 4;

// The states of the scanner.
const FIELD_START = 0;
const BARE = 1;
const QUOTED = 2;
const QUOTE_SEEN = 3;
const AFTER_QUOTE = 4;
const BLANK_AFTER_QUOTE = 5;
const LEADING_BLANK = 6;
const ESCAPED = 7;
const RECORD_START = 8;
const COMMENT_START = 9;
const COMMENT = 10;
const MARK_START = 11;

export class RecordScanner {
  private readonly classes = new Uint8Array(256);
  private readonly quote: number;
  private readonly escape: number;
  private readonly comment: readonly number[];
  private readonly isUtf8: boolean;
  private readonly trim: boolean;
  private readonly relaxQuotes: boolean;
  private state = RECORD_START;
  private offset: number;
  private start: number;
  private textEnd = 0;
  private line: number;
  private startLine: number;
  private fields = 1;
  private isQuoted = false;
  private isComment = false;
  private isOdd = false;
  private fault: RowFault | undefined;
  private crossing: CrossingField | undefined;
  private quoteLine = 0;
  private quoteAt = 0;
  /** The bytes of the present comment's beginning, or byte order mark, that have been seen. */
  private matched = 0;
  private lastByte = -1;
  /** True if a record ended with a CR at the end of a chunk. The next chunk shows whether an LF belongs to it. */
  private isAfterCr = false;

  constructor(options: RecordScannerOptions = {}) {
    const { delimiter, quote, escape, comment, trim, relaxQuotes } = { ...DEFAULT_DIALECT, ...options };
    this.offset = this.start = options.offset ?? 0;
    this.line = this.startLine = options.line ?? 1;
    this.quote = quote === undefined ? NO_BYTE : quote.charCodeAt(0);
    this.escape = escape === undefined ? NO_BYTE : escape.charCodeAt(0);
    this.comment = comment === undefined ? [] : [...Buffer.from(comment)];
    this.isUtf8 = options.isUtf8 ?? true;
    this.trim = trim;
    this.relaxQuotes = relaxQuotes;
    this.classes[0x20] = this.classes[0x09] = BLANK;
    this.classes[delimiter.charCodeAt(0)] = DELIMITER;
    if (quote !== undefined) this.classes[this.quote] = QUOTE_MARK;
    this.classes[LF] = this.classes[CR] = LINE_END;
  }

  /** The offset at which the open record begins. */
  get openStart(): number {
    return this.start;
  }

  /** Whether the bytes so far end within a comment. */
  get isInComment(): boolean {
    return this.state === COMMENT;
  }

  /** The number of bytes of the open record. */
  get openBytes(): number {
    return this.offset - this.start;
  }

  /** The line at which the open record begins. */
  get openLine(): number {
    return this.startLine;
  }

  /** The line of the next byte. */
  get nextLine(): number {
    return this.line;
  }

  /** The quoted field that is open now, if it has a line end in it. */
  get openCrossing(): CrossingField | undefined {
    const isOpen = this.state === QUOTED || this.state === QUOTE_SEEN || this.state === ESCAPED;
    return isOpen && this.crossing?.start === this.quoteAt ? this.crossing : undefined;
  }

  /** The line of the quote that is open now, if one is. */
  get openQuoteLine(): number | undefined {
    return this.state === QUOTED || this.state === ESCAPED ? this.quoteLine : undefined;
  }

  /** Returns the records that these bytes complete. */
  scan(chunk: Uint8Array): RecordSpan[] {
    const spans: RecordSpan[] = [];
    const { classes, offset } = this;
    const { length } = chunk;
    if (length === 0) return spans;
    let at = 0;
    if (this.isAfterCr) {
      if (chunk[0] === LF) at = 1;
      this.endRecord(spans, offset + at);
    }
    let { state } = this;
    const { quote, escape } = this;
    while (at < length) {
      const byte = chunk[at] as number;
      switch (state) {
        case FIELD_START:
          if (byte === quote) {
            state = QUOTED;
            this.openQuote(offset + at);
            at++;
          } else if (classes[byte] === BLANK) {
            state = LEADING_BLANK;
            at++;
          } else state = BARE;
          break;
        case BARE:
          while (at < length && (classes[chunk[at] as number] as number) <= BLANK) at++;
          if (at === length) break;
          switch (classes[chunk[at++] as number]) {
            case DELIMITER:
              this.fields++;
              state = FIELD_START;
              break;
            case QUOTE_MARK:
              if (!this.relaxQuotes) this.recordFault('bare quote');
              break;
            default:
              at = this.endLine(chunk, at, spans);
              state = RECORD_START;
          }
          break;
        case QUOTED:
          if (byte === quote) state = QUOTE_SEEN;
          else if (byte === escape) state = ESCAPED;
          else if (byte === CR) this.crossLine();
          else if (byte === LF && (at > 0 ? chunk[at - 1] : this.lastByte) !== CR) this.crossLine();
          at++;
          break;
        case QUOTE_SEEN:
          if (byte === quote) {
            state = QUOTED;
            at++;
          } else state = AFTER_QUOTE;
          break;
        case AFTER_QUOTE:
          if (classes[byte] === BLANK) {
            state = BLANK_AFTER_QUOTE;
            at++;
          } else {
            if (classes[byte] === ORDINARY || byte === quote) this.recordQuoteFault('text after quote');
            state = BARE;
          }
          break;
        case BLANK_AFTER_QUOTE:
          if (classes[byte] === BLANK) at++;
          else {
            if (classes[byte] === ORDINARY || byte === quote) this.recordQuoteFault('text after quote');
            else if (!this.trim) this.recordQuoteFault('blank outside quotes');
            state = BARE;
          }
          break;
        case LEADING_BLANK:
          if (byte === quote && (this.trim || !this.relaxQuotes)) {
            if (!this.trim) this.recordFault('blank outside quotes');
            state = QUOTED;
            this.openQuote(offset + at);
            at++;
          } else if (classes[byte] === BLANK) at++;
          else state = BARE;
          break;
        case ESCAPED:
          if (byte === quote || byte === escape) at++;
          state = QUOTED;
          break;
        case RECORD_START:
          this.matched = 0;
          state = byte === this.comment[0] ? COMMENT_START : byte === MARK[0] && this.isUtf8 ? MARK_START : FIELD_START;
          break;
        case MARK_START:
          // A byte order mark that is not complete consists of ordinary bytes.
          if (byte !== MARK[this.matched]) state = BARE;
          else {
            at++;
            if (++this.matched === MARK.length) {
              this.start = offset + at;
              state = RECORD_START;
            }
          }
          break;
        case COMMENT_START:
          if (byte !== this.comment[this.matched]) state = BARE;
          else {
            at++;
            if (++this.matched === this.comment.length) {
              this.isComment = true;
              state = COMMENT;
            }
          }
          break;
        default:
          // A comment, which ends with its line.
          while (at < length && classes[chunk[at] as number] !== LINE_END) at++;
          if (at === length) break;
          at = this.endLine(chunk, at + 1, spans);
          state = RECORD_START;
      }
    }
    this.state = state;
    this.lastByte = chunk[length - 1] as number;
    this.offset = offset + length;
    return spans;
  }

  /** Returns the last record if the bytes end without a line end. Call it once, after the last chunk. */
  finish(): RecordSpan | undefined {
    const spans: RecordSpan[] = [];
    if (this.state === QUOTED || this.state === ESCAPED) {
      this.fault = { kind: 'unclosed quote', field: this.fields, line: this.quoteLine };
    }
    if (this.state === BLANK_AFTER_QUOTE && !this.trim) this.recordQuoteFault('blank outside quotes');
    if (!this.isAfterCr) this.textEnd = this.offset;
    this.endRecord(spans, this.offset);
    return spans[0];
  }

  private openQuote(at: number): void {
    this.isQuoted = true;
    this.quoteLine = this.line;
    this.quoteAt = at;
  }

  private crossLine(): void {
    this.line++;
    const isSound = this.fault === undefined || this.fault.kind === 'blank outside quotes';
    if (isSound) this.crossing = { field: this.fields, line: this.quoteLine, start: this.quoteAt };
  }

  private recordQuoteFault(kind: RowFault['kind']): void {
    if (this.relaxQuotes) this.isOdd = true;
    else this.recordFault(kind);
  }

  private recordFault(kind: RowFault['kind']): void {
    this.fault ??= { kind, field: this.fields, line: this.line };
  }

  /** `at` is the index after the first byte of a line end. Returns the index of the next byte to scan. */
  private endLine(chunk: Uint8Array, at: number, spans: RecordSpan[]): number {
    this.textEnd = this.offset + at - 1;
    this.line++;
    if (chunk[at - 1] === CR) {
      if (at === chunk.length) {
        this.isAfterCr = true;
        return at;
      }
      if (chunk[at] === LF) at++;
    }
    this.endRecord(spans, this.offset + at);
    return at;
  }

  private endRecord(spans: RecordSpan[], end: number): void {
    const { start, textEnd, fields, isQuoted, isOdd, fault, crossing } = this;
    if (textEnd > start && !this.isComment) {
      spans.push({ start, textEnd, end, line: this.startLine, fields, isQuoted, isOdd, fault, crossing });
    }
    this.isAfterCr = false;
    this.start = end;
    this.startLine = this.line;
    this.fields = 1;
    this.isQuoted = false;
    this.isComment = false;
    this.isOdd = false;
    this.fault = undefined;
    this.crossing = undefined;
  }
}

/** Describes a fault for messages. `column` is the name of the field, if it has one. */
export function describeFault({ kind, field, byte = 0 }: RowFault, column?: string): string {
  const name = column === undefined || column === '' ? `field ${field}` : `field ${field} ('${column}')`;
  switch (kind) {
    case 'bare quote':
      return (
        `${name} has a quote in it but does not start with one; quote the whole field and double the quotes in it (""), ` +
        'or set the option `relaxQuotes` to true'
      );
    case 'text after quote':
      return (
        `${name} continues after its closing quote; double the quotes in it (""), ` +
        'or set the option `relaxQuotes` to true'
      );
    case 'blank outside quotes':
      return `${name} has blanks outside of its quotes; remove them, or set the option \`trim\` to true`;
    case 'unclosed quote':
      return (
        `the quote that opens ${name} is never closed; ` +
        'close it, or double it ("") within a quoted field if it is part of the text'
      );
    case 'NUL byte':
      return `a NUL byte (byte ${byte}), which is not text; remove it, or set the option \`encoding\` to the encoding of the file`;
    case 'invalid byte':
      return `the byte at ${byte} is not a character of the encoding; set the option \`encoding\` to the encoding of the file, or correct the row`;
    default:
      return `the row does not end within the allowed number of bytes; check its line ends and quotes, or raise the option \`maxRowBytes\` (the row has ${byte} bytes)`;
  }
}
