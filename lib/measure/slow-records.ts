/**
 * The slowest records of one task.
 *
 * Guarantees: it keeps a small fixed number of records; every other record costs one comparison.
 */
import type { SlowRecord } from '../model/metrics.js';

const KEPT = 5;

const NONE: readonly SlowRecord[] = [];

export class SlowRecords {
  /** Slowest first. */
  private kept = NONE;
  private unreported = NONE;

  /** Records must be slower than this to be added. */
  get floorMs(): number {
    return this.kept.length < KEPT ? 0 : (this.kept.at(-1)?.ms ?? 0);
  }

  get all(): readonly SlowRecord[] {
    return this.kept;
  }

  add(record: SlowRecord): void {
    if (this.kept.length === 0) {
      this.kept = [record];
      this.unreported = this.kept;
      return;
    }
    const at = this.kept.findIndex(({ ms }) => ms < record.ms);
    const kept = at < 0 ? [...this.kept, record] : this.kept.toSpliced(at, 0, record);
    this.kept = kept.slice(0, KEPT);
    this.unreported = [...this.unreported, record].filter((one) => this.kept.includes(one));
  }

  /** The records that joined the slowest since the last call and still are among them. */
  news(): readonly SlowRecord[] {
    const { unreported } = this;
    this.unreported = NONE;
    return unreported;
  }
}
