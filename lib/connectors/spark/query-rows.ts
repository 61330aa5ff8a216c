/**
 * One part of the result of a query, as a partition of a source.
 *
 * Guarantees: a position is returned only after the last record of a row of Spark, which may become several records.
 */
import type { Rejected, Semaphore, Skip, SourcePartition, SourceRead } from '../../connect/index.js';
import type { CursorRow, Key, SparkCursor } from './spark-cursor.js';

/** The position from which a later incarnation continues: after a key. */
export interface KeyPosition {
  readonly lineage: number;
  readonly key: Key;
}

/** The cursor of a part of a result, and the way in which its rows become records. */
export interface QueryRowsParts<Out> {
  readonly partition: number;
  readonly position: KeyPosition | undefined;
  readonly cursor: SparkCursor;
  /** Limits how many parts are read at a time. */
  readonly permits: Semaphore;
  /** Adds the records of a row. */
  readonly addRecords: (row: CursorRow, to: (Out | Skip | Rejected)[]) => void;
  /** Called at the end of the result; an error fails the run. */
  readonly whenOver?: () => void;
  readonly hasKey: boolean;
}

export class QueryRows<Out> implements SourcePartition<Out> {
  readonly partition: number;
  readonly from: number;
  private readonly parts: QueryRowsParts<Out>;
  private hasPermit = false;
  private isClosed = false;
  /** The number of the next record that is not yet read from Spark. */
  private next: number;
  /** Records of rows that have been read. */
  private waiting: (Out | Skip | Rejected)[] = [];

  constructor(parts: QueryRowsParts<Out>) {
    this.parts = parts;
    this.partition = parts.partition;
    this.from = this.next = parts.position?.lineage ?? 0;
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    if (!this.hasPermit) {
      await this.parts.permits.acquire();
      this.hasPermit = true;
      if (this.isClosed) {
        this.parts.permits.release();
        return null;
      }
    }
    const { cursor, addRecords, hasKey } = this.parts;
    while (this.waiting.length === 0) {
      const rows = await cursor.read(max);
      if (rows === null) {
        this.parts.whenOver?.();
        await this.close();
        return null;
      }
      for (const row of rows) addRecords(row, this.waiting);
      this.next += this.waiting.length;
    }
    const records = this.waiting.length > max ? this.waiting.splice(0, max) : this.waiting;
    if (records === this.waiting) this.waiting = [];
    const isWhole = hasKey && this.waiting.length === 0;
    return { records, ...(isWhole ? { position: { lineage: this.next, key: cursor.key as Key } } : {}) };
  }

  async close(): Promise<void> {
    const { isClosed } = this;
    this.isClosed = true;
    await this.parts.cursor.close();
    if (!isClosed && this.hasPermit) this.parts.permits.release();
  }
}
