/**
 * Divides the rows of a CSV file among several readers by the hash of the field in one column, as Kafka divides keys.
 *
 * Guarantees: every row is in exactly one share. Rows with the same text in that column are in the same share, with or
 * without quotes. The number of a row that cannot be read decides its share.
 */
import { isAscii } from 'node:buffer';
import { partitionOf } from '../../connect/parts.js';
import { decode, type TextEncoding } from '../files/text-encoding.js';
import type { RecordBlock } from './record-blocks.js';
import type { RecordSpan } from './record-boundaries.js';

/** Plain data. */
export interface RowShare {
  readonly column: string;
  /** The index of the share, from 0. */
  readonly index: number;
  /** The number of shares. */
  readonly of: number;
}

export interface ShareFilterParts extends RowShare {
  /** The columns of the file, `column` among them. */
  readonly columns: readonly string[];
  readonly delimiter: string;
  readonly encoding: TextEncoding;
}

export class ShareFilter {
  readonly column: string;
  private readonly parts: ShareFilterParts;
  private readonly field: number;
  private readonly delimiter: number;

  constructor(parts: ShareFilterParts) {
    this.parts = parts;
    this.column = parts.column;
    this.field = parts.columns.indexOf(parts.column);
    this.delimiter = parts.delimiter.charCodeAt(0);
  }

  /** Whether a valid row without quotes is in the share. Decodes the bytes of the row only if necessary. */
  hasPlain({ bytes, start }: RecordBlock, span: RecordSpan): boolean {
    const { delimiter } = this;
    const end = span.textEnd - start;
    let from = span.start - start;
    for (let field = 0; field < this.field; field++) from = bytes.indexOf(delimiter, from) + 1;
    let to = from;
    while (to < end && bytes[to] !== delimiter) to++;
    const field = bytes.subarray(from, to);
    // The hash is over UTF-8, as for a row with quotes.
    const { encoding } = this.parts;
    if (!encoding.isUtf8 && !isAscii(field)) return this.hasText(decode(field, encoding));
    return partitionOf(field, this.parts.of) === this.parts.index;
  }

  /** Whether rows with this text in the column are in the share. */
  hasText(text: string): boolean {
    return partitionOf(text, this.parts.of) === this.parts.index;
  }

  /** Whether a row that cannot be read is in the share, by its number. */
  hasNumber(number: number): boolean {
    return number % this.parts.of === this.parts.index;
  }
}
