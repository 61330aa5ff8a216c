/**
 * fast-csv, given complete records and nothing else, as one promise a block.
 *
 * Promise: one row of fields comes back for every record that went in, in order. It holds because the records were
 * found sound before (record-boundaries), so fast-csv meets none of what it would stop at or misread:
 * a stray quote destroys its stream, a missing field becomes '', a chunk that ends in CR waits for more, a quoted field
 * across chunks is read again with every chunk, and U+FEFF at the start of any chunk is dropped.
 */
import { parse } from 'fast-csv';

type Fields = string[];

export class BlockParser {
  private readonly stream;
  private rows: Fields[] = [];

  constructor(delimiter: string) {
    // A row transform that gives back nothing keeps rows out of the stream's own queue, so the write's callback is the
    // exact moment at which all rows of the block are here. ignoreEmpty would drop rows like `,,`.
    this.stream = parse<Fields, Fields>({ delimiter, headers: false, ignoreEmpty: false }).transform((row: Fields) => {
      this.rows.push(row);
      return null as unknown as Fields;
    });
    // The callback of the write tells the error, too; without a listener it would be thrown from the event loop.
    this.stream.on('error', () => undefined);
  }

  /** The fields of the records of this text. */
  parse(text: string): Promise<Fields[]> {
    this.rows = [];
    // A text that ends in CR would wait for an LF. The first U+FEFF of a text is taken for a byte order mark.
    const ended = text.endsWith('\n') ? text : `${text}\n`;
    const guarded = ended.startsWith('\uFEFF') ? `\uFEFF${ended}` : ended;
    return new Promise((resolve, reject) => {
      this.stream.write(guarded, (error) => {
        if (error) reject(error);
        else resolve(this.rows);
      });
    });
  }

  close(): void {
    this.stream.destroy();
  }
}
