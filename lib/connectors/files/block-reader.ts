/**
 * Reads the rows of a file block by block. A format provides the rows of the next block.
 *
 * Guarantees: those of `RowReader`, whatever the format: each read after an error rejects with that error, errors after
 * `close` are ignored, and the number of places to continue from is bounded.
 */
import { isPacked, type OpenByteSource } from './byte-source.js';
import { throwIfAborted } from './open-input.js';
import type { RowPoint, RowReader } from './row-reader.js';
import type { TextEncoding } from './text-encoding.js';

/** The options that each format has. */
export interface BlockReaderOptions {
  readonly path: string;
  readonly encoding: TextEncoding;
  readonly signal?: AbortSignal | undefined;
}

/** The most places kept. Beyond that there are gaps, and a resumed reader skips more rows. */
const MAX_POINTS = 1024;

export abstract class BlockReader<Item, Point extends RowPoint> implements RowReader<Item> {
  bytesBefore: number | undefined;
  private readonly source: OpenByteSource;
  private readonly given: BlockReaderOptions;
  private items: readonly Item[] = [];
  private at = 0;
  /**
   * The beginnings of the blocks that may contain the next requested row. Limited by the distance that is read ahead.
   */
  private readonly points: Point[] = [];
  private failure: unknown;
  private closing: Promise<void> | undefined;
  private readonly onAbort = (): void => {
    this.close().catch(() => undefined);
  };

  protected constructor(source: OpenByteSource, options: BlockReaderOptions) {
    this.source = source;
    this.given = options;
    options.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  async read(max: number): Promise<readonly Item[] | null> {
    if (this.failure !== undefined) throw this.failure;
    throwIfAborted(this.given);
    if (!(await this.fill())) return null;
    throwIfAborted(this.given);
    const items = this.items.slice(this.at, this.at + Math.max(1, max));
    this.at += items.length;
    if (this.at >= this.items.length) this.items = [];
    return items;
  }

  async isAtEnd(): Promise<boolean> {
    if (this.failure !== undefined) return false;
    // The next read throws the error.
    const hasMore = await this.fill().catch(() => true);
    return !hasMore;
  }

  pointBefore(row: number): Point | undefined {
    while (this.points[1] !== undefined && this.points[1].rows <= row) this.points.shift();
    return this.points[0];
  }

  close(): Promise<void> {
    return (this.closing ??= this.release());
  }

  /** The rows of the next block, perhaps none; null at the end. */
  protected abstract nextItems(): Promise<readonly Item[] | null>;

  /** Releases the resources of the format. */
  protected end(): void {
    // Most formats have nothing to end.
  }

  /**
   * Called with the beginning of each block that has one. A compressed or converted file has no places, because its
   * offsets are not those of its text.
   */
  protected beginsAt(point: Point): void {
    if (this.given.encoding.isConverted || isPacked(this.given.path)) return;
    this.bytesBefore = point.start;
    if (this.points.length === MAX_POINTS) this.points.splice(1, 1);
    this.points.push(point);
  }

  private async release(): Promise<void> {
    this.given.signal?.removeEventListener('abort', this.onAbort);
    this.items = [];
    this.end();
    await this.source.close();
  }

  /** Reads a block if no row waits. Returns false at the end, and after `close`. */
  private async fill(): Promise<boolean> {
    try {
      while (this.at >= this.items.length) {
        if (this.closing !== undefined) return false;
        const items = await this.nextItems();
        if (items === null) {
          await this.close();
          return false;
        }
        this.items = items;
        this.at = 0;
      }
      return true;
    } catch (error) {
      throwIfAborted(this.given);
      // The reader was closed during the read, so the error is irrelevant.
      if (this.closing !== undefined) return false;
      this.failure = error;
      await this.close();
      throw error;
    }
  }
}
