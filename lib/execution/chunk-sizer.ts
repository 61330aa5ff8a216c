/**
 * Chooses how many records travel in one chunk, from their measured cost.
 *
 * Guarantees: a chunk is a few milliseconds of work, so the cost of its message is small and no record waits long.
 * Expensive records travel in small chunks, cheap ones in large chunks of at most `max`.
 */

/** The intended duration of one chunk, in milliseconds. */
const TARGET_MS = 4;
/** The first chunks are small, because the cost of a record is not known yet: a microsecond or a second. */
const FIRST_SIZE = 4;

export class ChunkSizer {
  /** How many records the next chunk should have. */
  size: number;
  private readonly max: number;
  /** Milliseconds per record; undefined before the first measurement. */
  private costMs: number | undefined;

  constructor(max: number) {
    this.max = max;
    this.size = Math.min(FIRST_SIZE, max);
  }

  /** @param elapsedMs the time that all `records` needed together. */
  measured(elapsedMs: number, records: number): void {
    const costMs = elapsedMs / records;
    // The first records run cold, so a lower cost counts at once. A higher cost may be noise and counts by half.
    this.costMs = this.costMs === undefined || costMs < this.costMs ? costMs : (this.costMs + costMs) / 2;
    const wanted = this.costMs > 0 ? Math.floor(TARGET_MS / this.costMs) : this.max;
    // Growth is gradual: a chunk that was cheap by chance must not lead to a chunk of several seconds.
    this.size = Math.max(1, Math.min(this.max, wanted, this.size * 4));
  }
}
