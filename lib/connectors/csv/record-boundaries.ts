/**
 * Finds where the records of a CSV file begin and end, over bytes, in chunks of any size.
 *
 * Guarantees: the records and their lines do not depend on how the bytes are divided into chunks. A line end within
 * quotes does not end a record; LF, CRLF, CR and any mix of them end one. Nothing is decoded or kept, so memory is the
 * numbers of one record. It works for every encoding in which the delimiter, quotes and line ends are single ASCII
 * bytes (UTF-8, Latin-1). Blanks (spaces and tabs) before an opening quote and after a closing one are accepted, as in
 * fast-csv. A quote anywhere else is a fault of its record only: from there on the field counts as bare, so the record
 * ends with its line.
 */

/** The first fault of the quotes of a record. */
export interface QuoteFault {
  /** A quote within a bare field · text after a closing quote · a quote that is still open at the end of the bytes. */
  readonly kind: 'bare quote' | 'text after quote' | 'unclosed quote';
  /** The number of the field, from 1. */
  readonly field: number;
  /** The line of the fault (for an unclosed quote: of the opening quote), from 1. */
  readonly line: number;
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
  readonly fault: QuoteFault | undefined;
}

export interface RecordScannerOptions {
  /** One ASCII character. Default `,`. */
  readonly delimiter?: string;
  /** Offset of the first byte that will be scanned; it must be where a record begins. Default 0. */
  readonly offset?: number;
  /** The line of that byte. Default 1. */
  readonly line?: number;
}

const LF = 10;
const CR = 13;
const QUOTE = 34;

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

export class RecordScanner {
  private readonly classes = new Uint8Array(256);
  private state = FIELD_START;
  private offset: number;
  private start: number;
  private textEnd = 0;
  private line: number;
  private startLine: number;
  private fields = 1;
  private isQuoted = false;
  private fault: QuoteFault | undefined;
  private quoteLine = 0;
  private lastByte = -1;
  /** True if a record ended with a CR at the end of a chunk. The next chunk shows whether an LF belongs to it. */
  private isAfterCr = false;

  constructor(options: RecordScannerOptions = {}) {
    this.offset = this.start = options.offset ?? 0;
    this.line = this.startLine = options.line ?? 1;
    this.classes[0x20] = this.classes[0x09] = BLANK;
    this.classes[(options.delimiter ?? ',').charCodeAt(0)] = DELIMITER;
    this.classes[QUOTE] = QUOTE_MARK;
    this.classes[LF] = this.classes[CR] = LINE_END;
  }

  /** The offset at which the open record begins. */
  get openStart(): number {
    return this.start;
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

  /** The line of the quote that is open now, if one is. */
  get openQuoteLine(): number | undefined {
    return this.state === QUOTED ? this.quoteLine : undefined;
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
    while (at < length) {
      const byte = chunk[at] as number;
      switch (state) {
        case FIELD_START:
          if (byte === QUOTE) {
            state = QUOTED;
            this.isQuoted = true;
            this.quoteLine = this.line;
            at++;
          } else if (classes[byte] === BLANK) at++;
          else state = BARE;
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
              this.mark('bare quote');
              break;
            default:
              at = this.endLine(chunk, at, spans);
              state = FIELD_START;
          }
          break;
        case QUOTED:
          if (byte === QUOTE) state = QUOTE_SEEN;
          else if (byte === CR) this.line++;
          else if (byte === LF && (at > 0 ? chunk[at - 1] : this.lastByte) !== CR) this.line++;
          at++;
          break;
        case QUOTE_SEEN:
          if (byte === QUOTE) {
            state = QUOTED;
            at++;
          } else state = AFTER_QUOTE;
          break;
        default:
          if (classes[byte] === BLANK) at++;
          else {
            if (classes[byte] === ORDINARY || byte === QUOTE) this.mark('text after quote');
            state = BARE;
          }
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
    if (this.state === QUOTED) this.fault = { kind: 'unclosed quote', field: this.fields, line: this.quoteLine };
    if (!this.isAfterCr) this.textEnd = this.offset;
    this.endRecord(spans, this.offset);
    return spans[0];
  }

  private mark(kind: QuoteFault['kind']): void {
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
    const { start, textEnd, fields, isQuoted, fault } = this;
    if (textEnd > start) spans.push({ start, textEnd, end, line: this.startLine, fields, isQuoted, fault });
    this.isAfterCr = false;
    this.start = end;
    this.startLine = this.line;
    this.fields = 1;
    this.isQuoted = false;
    this.fault = undefined;
  }
}

/** Describes a fault for messages. `column` is the name of the field, if it has one. */
export function describeFault({ kind, field }: QuoteFault, column?: string): string {
  const name = column === undefined || column === '' ? `field ${field}` : `field ${field} ('${column}')`;
  return kind === 'bare quote'
    ? `${name} has a quote in it but does not start with one; quote the whole field and double the quotes in it ("")`
    : `${name} continues after its closing quote; double the quotes in it ("")`;
}
