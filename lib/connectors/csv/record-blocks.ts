/**
 * Groups bytes into blocks of complete records, with the position of each record.
 *
 * Guarantees: a record never spans two blocks. Memory is one chunk plus the open record, which `maxRowBytes` limits, so
 * a quote that is never closed cannot fill the memory. Zero bytes and unclosed quotes end the reading with an error.
 */
import { MillraceError } from '../../model/errors.js';
import type { ByteSource } from './byte-source.js';
import { RecordScanner, type RecordSpan } from './record-boundaries.js';

export interface RecordBlock {
  readonly bytes: Buffer;
  /** Offset of `bytes[0]` in the input. The offsets of the spans are also offsets in the input. */
  readonly start: number;
  /** The records. At least one. */
  readonly spans: readonly RecordSpan[];
}

export interface RecordBlocksOptions {
  readonly path: string;
  readonly delimiter: string;
  readonly maxRowBytes: number;
  /** Offset and line of the first byte. */
  readonly offset: number;
  readonly line: number;
}

export class RecordBlocks {
  private readonly source: ByteSource;
  private readonly options: RecordBlocksOptions;
  private readonly scanner: RecordScanner;
  /** The bytes of the open record, from chunks that ended within it. */
  private openChunks: Buffer[] = [];
  private offset: number;
  private isOver = false;

  constructor(source: ByteSource, options: RecordBlocksOptions) {
    this.source = source;
    this.options = options;
    this.scanner = new RecordScanner(options);
    this.offset = options.offset;
  }

  async next(): Promise<RecordBlock | null> {
    while (!this.isOver) {
      const chunk = await this.source.next();
      const block = chunk === null ? this.finish() : this.scan(chunk);
      if (block !== null) return block;
    }
    return null;
  }

  private scan(chunk: Buffer): RecordBlock | null {
    const { scanner, offset } = this;
    const zeroAt = chunk.indexOf(0);
    if (zeroAt >= 0) this.refuseZero(chunk, zeroAt);
    const start = scanner.openStart;
    const spans = scanner.scan(chunk);
    this.offset = offset + chunk.length;
    const cut = scanner.openStart - offset;
    let bytes: Buffer | undefined;
    if (cut >= 0) {
      const head = chunk.subarray(0, cut);
      if (spans.length > 0) bytes = this.openChunks.length === 0 ? head : Buffer.concat([...this.openChunks, head]);
      this.openChunks = cut < chunk.length ? [chunk.subarray(cut)] : [];
    } else this.openChunks.push(chunk);
    for (const span of spans) {
      if (span.end - span.start > this.options.maxRowBytes) this.refuseLength(span.line, false);
    }
    if (scanner.openBytes > this.options.maxRowBytes) {
      this.refuseLength(scanner.openQuoteLine ?? scanner.openLine, scanner.openQuoteLine !== undefined);
    }
    return bytes === undefined ? null : { bytes, start, spans };
  }

  private finish(): RecordBlock | null {
    this.isOver = true;
    const start = this.scanner.openStart;
    const span = this.scanner.finish();
    if (span === undefined) return null;
    if (span.fault?.kind === 'unclosed quote') {
      throw new MillraceError(
        'MILLRACE_CSV',
        `${this.options.path}, line ${span.fault.line}: the quote that opens field ${span.fault.field} is never closed; ` +
          'close it, or double it ("") within a quoted field if it is part of the text',
      );
    }
    return { bytes: Buffer.concat(this.openChunks), start, spans: [span] };
  }

  private refuseZero(chunk: Buffer, at: number): never {
    const { path, delimiter } = this.options;
    const before = new RecordScanner({ delimiter, line: this.scanner.nextLine });
    before.scan(chunk.subarray(0, at));
    throw new MillraceError(
      'MILLRACE_CSV',
      `${path}, line ${before.nextLine}: a NUL byte (byte ${this.offset + at}): this is not CSV text; ` +
        'save it again as CSV in UTF-8, or set the option `encoding`',
    );
  }

  private refuseLength(line: number, isQuoted: boolean): never {
    const { path, maxRowBytes } = this.options;
    const what = isQuoted ? 'the quote opened here is not closed' : 'the row does not end';
    throw new MillraceError(
      'MILLRACE_CSV',
      `${path}, line ${line}: ${what} within ${maxRowBytes} bytes; ` +
        (isQuoted
          ? 'close it, or raise the option `maxRowBytes`'
          : 'check its line ends, or raise the option `maxRowBytes`'),
    );
  }
}

/** Whether a line contains only spaces and tabs. */
export function isBlank({ bytes, start }: RecordBlock, span: RecordSpan): boolean {
  for (let at = span.start - start; at < span.textEnd - start; at++) {
    if (bytes[at] !== 0x20 && bytes[at] !== 0x09) return false;
  }
  return true;
}

/** Whether a record counts as a row, valid or broken, of a file with this number of columns. A blank line does not. */
export function isRow(block: RecordBlock, span: RecordSpan, columns: number): boolean {
  if (span.fault === undefined && span.fields === columns) return true;
  return span.fields !== 1 || !isBlank(block, span);
}
