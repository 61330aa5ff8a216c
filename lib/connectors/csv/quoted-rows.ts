/**
 * fast-csv, given complete rows and nothing else, as one promise for all of them.
 *
 * Promise: the fields of every row that went in come back, in order, or an error says that they do not. It holds because
 * the rows were found sound before (record-boundaries), so fast-csv meets none of what it would stop at or misread:
 * a stray quote destroys its stream, a missing field becomes '', a chunk that ends in CR waits for more, a quoted field
 * across chunks is read again with every chunk, and U+FEFF at the start of any chunk is dropped.
 */
import { parse } from 'fast-csv';

type Fields = string[];

export class QuotedRows {
  private readonly stream;
  private rows: Fields[] = [];

  constructor(delimiter: string) {
    // A row transform that gives back nothing keeps rows out of the stream's own queue, so the write's callback is the
    // exact moment at which all rows are here. ignoreEmpty would drop rows like `,,`.
    this.stream = parse<Fields, Fields>({ delimiter, headers: false, ignoreEmpty: false }).transform((row: Fields) => {
      this.rows.push(row);
      return null as unknown as Fields;
    });
    // The callback of the write tells the error, too; without a listener it would be thrown from the event loop.
    this.stream.on('error', () => undefined);
  }

  /** The fields of these rows, which come without their line ends. One call at a time. */
  async read(texts: readonly string[]): Promise<Fields[]> {
    this.rows = [];
    const text = `${texts.join('\n')}\n`;
    // The first U+FEFF of a text is taken for a byte order mark.
    await this.write(text.startsWith('\uFEFF') ? `\uFEFF${text}` : text);
    if (this.rows.length !== texts.length) {
      throw new Error(`fast-csv read ${this.rows.length} rows where there are ${texts.length}`);
    }
    return this.rows;
  }

  close(): void {
    this.stream.destroy();
  }

  private write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.stream.write(text, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
}
