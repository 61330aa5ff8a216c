/**
 * How many records to hand over together, from what they cost so far. Promise: a chunk is worth a few milliseconds of
 * work, so that a message is small beside it and nobody waits long; dear records travel in small chunks, cheap ones in
 * large ones, never more than `max`.
 */

/** What one chunk should be worth, in milliseconds. */
const TARGET_MS = 4;
/** The first chunks are small: nobody knows yet whether a record takes a microsecond or a second. */
const FIRST_SIZE = 4;

export class ChunkSizer {
  /** How many records the next chunk should have. */
  size: number;
  private readonly max: number;
  /** Milliseconds a record; undefined until something was measured. */
  private costMs: number | undefined;

  constructor(max: number) {
    this.max = max;
    this.size = Math.min(FIRST_SIZE, max);
  }

  /** @param elapsedMs what `records` took together. */
  measured(elapsedMs: number, records: number): void {
    const costMs = elapsedMs / records;
    // The first records run cold, so what is cheaper counts at once; what is dearer may be noise and counts by half.
    this.costMs = this.costMs === undefined || costMs < this.costMs ? costMs : (this.costMs + costMs) / 2;
    const wanted = this.costMs > 0 ? Math.floor(TARGET_MS / this.costMs) : this.max;
    // Growth is gradual: one chunk that happened to be cheap must not be followed by a chunk of seconds.
    this.size = Math.max(1, Math.min(this.max, wanted, this.size * 4));
  }
}
