/**
 * The text of a block of bytes.
 *
 * Guarantees: a row with a byte that is not a character is not decoded silently: `invalidIn` reports it.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { firstInvalidByte } from '../files/byte-source.js';
import { decode, type TextEncoding } from '../files/text-encoding.js';
import { lineEndsIn, type RecordBlock } from './record-blocks.js';
import type { RecordSpan, RowFault } from './record-boundaries.js';

/** The decoding of the rows of one block. */
export interface RowTexts {
  /**
   * The text of a row. Each text is a separate string: a field that is retained keeps its row in memory, but not the
   * block.
   */
  readonly of: (span: RecordSpan) => string;
  /** Whether all bytes of the block are characters. */
  readonly isValid: boolean;
}

export class BlockText {
  private readonly encoding: TextEncoding;

  constructor(encoding: TextEncoding) {
    this.encoding = encoding;
  }

  /** The text of a row in the file, without its line end; of a row that is too long, only the beginning. */
  of(block: RecordBlock, span: RecordSpan): string {
    const head = span.fault?.head;
    return decode(head ?? bytesOf(block, span), this.encoding);
  }

  rowsOf(block: RecordBlock): RowTexts {
    const { encoding } = this;
    const { bytes, start } = block;
    const isPlain = isAscii(bytes);
    if (!isPlain && !encoding.isUtf8) {
      const isValid = encoding.isTotal || !decode(bytes, encoding).includes('\uFFFD');
      return { of: (span) => decode(bytes, encoding, span.start - start, span.textEnd - start), isValid };
    }
    const label = isPlain ? 'latin1' : 'utf8';
    return {
      of: (span) => bytes.toString(label, span.start - start, span.textEnd - start),
      isValid: isPlain || isUtf8(bytes),
    };
  }

  /** The fault of a row with a byte that is not a character. */
  invalidIn(block: RecordBlock, span: RecordSpan): RowFault | undefined {
    const bytes = bytesOf(block, span);
    const at = this.encoding.isUtf8 ? firstInvalidByte(bytes) : atOf(decode(bytes, this.encoding).indexOf('\uFFFD'));
    if (at === undefined) return undefined;
    const line = span.line + lineEndsIn(bytes.subarray(0, at));
    return { kind: 'invalid byte', field: 0, line, byte: span.start + at };
  }
}

function bytesOf({ bytes, start }: RecordBlock, span: RecordSpan): Buffer {
  return bytes.subarray(Math.max(0, span.start - start), Math.max(0, span.textEnd - start));
}

function atOf(index: number): number | undefined {
  return index < 0 ? undefined : index;
}
