/**
 * Reads complete rows with quotes with fast-csv, with one promise per group of rows.
 *
 * Guarantees: the fields of every row are returned in order, or the call rejects. The rows were checked before
 * (record-boundaries), so fast-csv never meets input that it fails on or misreads: a stray quote destroys its stream, a
 * missing field becomes '', a chunk that ends in CR waits for more, a quoted field across chunks is read again with
 * every chunk, and U+FEFF at the start of any chunk is dropped.
 */
import { parse } from 'fast-csv';

type Fields = string[];

export class QuotedRows {
  private readonly stream;
  private rows: Fields[] = [];

  constructor(delimiter: string) {
    // A row transform that returns nothing keeps rows out of the queue of the stream, so all rows are here when the
    // callback of the write is called. `ignoreEmpty` would drop rows like `,,`.
    this.stream = parse<Fields, Fields>({ delimiter, headers: false, ignoreEmpty: false }).transform((row: Fields) => {
      this.rows.push(row);
      return null as unknown as Fields;
    });
    // The callback of the write also receives the error. Without a listener the event loop would throw it.
    this.stream.on('error', () => undefined);
  }

  /** Returns the fields of these rows, which have no line ends. One call at a time. */
  async read(texts: readonly string[]): Promise<Fields[]> {
    this.rows = [];
    const text = `${texts.join('\n')}\n`;
    // fast-csv removes the first U+FEFF of a text as a byte order mark.
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
