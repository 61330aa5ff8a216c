/**
 * The slowest records of one task.
 *
 * Guarantees: it keeps a small fixed number of records; every other record costs one comparison.
 */
import type { SlowRecord } from '../model/metrics.js';

const KEPT = 5;

export class SlowRecords {
  /** Slowest first. */
  private readonly kept: SlowRecord[] = [];
  private unreported: SlowRecord[] = [];

  /** Records must be slower than this to be added. */
  get floorMs(): number {
    return this.kept.length < KEPT ? 0 : (this.kept.at(-1)?.ms ?? 0);
  }

  get all(): readonly SlowRecord[] {
    return this.kept;
  }

  add(record: SlowRecord): void {
    const at = this.kept.findIndex(({ ms }) => ms < record.ms);
    this.kept.splice(at < 0 ? this.kept.length : at, 0, record);
    this.kept.length = Math.min(KEPT, this.kept.length);
    this.unreported = [...this.unreported, record].filter((one) => this.kept.includes(one));
  }

  /** The records that joined the slowest since the last call and still are among them. */
  news(): readonly SlowRecord[] {
    const { unreported } = this;
    this.unreported = [];
    return unreported;
  }
}
