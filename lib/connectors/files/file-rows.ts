/**
 * The rows of one open file as a partition of a source.
 *
 * Guarantees: each read returns the place of its rows in the file, so a resumed run continues near the row that it
 * needs.
 */
import {
  holdClock,
  type Clock,
  type Lineage,
  type Rejected,
  type Skip,
  type SourcePartition,
  type SourcePosition,
  type SourceRead,
} from '../../connect/index.js';
import type { RowReader } from './row-reader.js';

export interface FileRowsParts<Item, Out> {
  readonly reader: RowReader<Item>;
  /** Converts a row to a record. */
  readonly recordOf: (item: Item) => Out | Skip | Rejected;
  /** The number of the first row that the reader returns. */
  readonly from: Lineage;
  /** The size of the file, in bytes. */
  readonly size: number;
  readonly clock: Clock;
}

export class FileRows<Item, Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: Lineage;
  private readonly parts: FileRowsParts<Item, Out>;
  /** The number of rows that were read. */
  private count = 0;
  private isOver = false;

  constructor(parts: FileRowsParts<Item, Out>) {
    this.parts = parts;
    this.from = parts.from;
  }

  /** The number of the next row. */
  get next(): Lineage {
    return this.from + this.count;
  }

  share(): number | undefined {
    const { reader, size } = this.parts;
    if (this.isOver) return 1;
    if (reader.bytesBefore === undefined || size === 0) return undefined;
    // A file may grow while it is read, so the share is limited to 1.
    return Math.min(1, reader.bytesBefore / size);
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    const { clock, reader, recordOf } = this.parts;
    const items = await holdClock(clock, reader.read(max));
    if (items === null) {
      this.isOver = true;
      return null;
    }
    this.count += items.length;
    const position = this.position();
    return { records: items.map((item) => recordOf(item)), ...(position === undefined ? {} : { position }) };
  }

  /** Whether there are no more rows. */
  isAtEnd(): Promise<boolean> {
    return holdClock(this.parts.clock, this.parts.reader.isAtEnd());
  }

  close(): Promise<void> {
    return holdClock(this.parts.clock, this.parts.reader.close());
  }

  /** The position of the block of the file that contains the next row, or of an earlier block. */
  private position(): SourcePosition | undefined {
    const point = this.parts.reader.pointBefore(this.count);
    if (point === undefined) return undefined;
    const { rows, ...place } = point;
    return { lineage: this.from + rows, ...place };
  }
}
