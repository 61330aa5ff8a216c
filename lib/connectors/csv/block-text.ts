/**
 * The text of a block of bytes.
 *
 * Guarantees: a byte that cannot be decoded is an error that names its line.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { MillraceError } from '../../model/errors.js';
import type { CsvEncoding } from './byte-source.js';
import type { RecordBlock } from './record-blocks.js';
import type { RecordSpan } from './record-boundaries.js';

export class BlockText {
  private readonly path: string;
  private readonly encoding: CsvEncoding;

  constructor(path: string, encoding: CsvEncoding) {
    this.path = path;
    this.encoding = encoding;
  }

  /** The text of a row in the file, without its line end. */
  of(block: RecordBlock, span: RecordSpan): string {
    const bytes = block.bytes.subarray(span.start - block.start, span.textEnd - block.start);
    this.check({ ...block, bytes, start: span.start, spans: [span] });
    return this.decode(bytes);
  }

  /**
   * Returns a function for the texts of the rows of a checked block. Each text is a string of its own: a field that is
   * kept keeps its row in memory, but not the block.
   */
  rowsOf({ bytes, start }: RecordBlock): (span: RecordSpan) => string {
    const encoding = this.encoding === 'latin1' || isAscii(bytes) ? 'latin1' : 'utf8';
    return (span) => bytes.toString(encoding, span.start - start, span.textEnd - start);
  }

  private decode(bytes: Buffer): string {
    return bytes.toString(this.encoding === 'latin1' ? 'latin1' : 'utf8');
  }

  /** Throws MILLRACE_CSV for bytes that are not UTF-8: decoding would silently replace them by U+FFFD. */
  check({ bytes, start, spans }: RecordBlock): void {
    if (this.encoding === 'latin1' || isUtf8(bytes)) return;
    const at = firstInvalidByte(bytes);
    const span = spans.findLast((candidate) => candidate.start - start <= at);
    const before = bytes.subarray((span?.start ?? start) - start, at).toString('latin1');
    const line = (span?.line ?? 1) + (before.match(/\r\n|\r|\n/g)?.length ?? 0);
    const byte = (bytes[at] ?? 0).toString(16).padStart(2, '0').toUpperCase();
    throw new MillraceError(
      'MILLRACE_CSV',
      `${this.path}, line ${line}: byte 0x${byte} (byte ${start + at} of the text) is not UTF-8; ` +
        "set the option `encoding` to 'latin1' if that is what it is, or convert the file",
    );
  }
}

/** The decoder replaces the first invalid byte by U+FFFD. A U+FFFD that is in the file itself is skipped. */
function firstInvalidByte(bytes: Buffer): number {
  const text = bytes.toString('utf8');
  let at = 0;
  let from = 0;
  for (let i = text.indexOf('\uFFFD'); i >= 0; i = text.indexOf('\uFFFD', from)) {
    at += Buffer.byteLength(text.slice(from, i));
    if (!(bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd)) return at;
    at += 3;
    from = i + 1;
  }
  return at;
}
