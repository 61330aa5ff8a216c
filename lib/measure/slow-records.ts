/** The slowest records of one task. Promise: it holds a fixed few, and a record that is not among them costs one comparison. */
import type { SlowRecord } from '../model/metrics.js';

const KEPT = 5;

export class SlowRecords {
  /** Slowest first. */
  private readonly kept: SlowRecord[] = [];
  private untold: SlowRecord[] = [];

  /** What is not slower than this need not be added. */
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
    this.untold = [...this.untold, record].filter((one) => this.kept.includes(one));
  }

  /** Those that came among the slowest since the last call and still are. */
  news(): readonly SlowRecord[] {
    const { untold } = this;
    this.untold = [];
    return untold;
  }
}
