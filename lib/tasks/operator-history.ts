/**
 * The durable input of a user's operator: every record that was passed to it, in order. The state of an operator cannot
 * be read, so a resumed run passes the same records to a new operator.
 *
 * Guarantees: a checkpoint adds only the records since the checkpoint before, as they were when the operator received
 * them. Beyond `limit` records nothing is kept any more, and the run reports that it cannot be resumed.
 */
import { lostClass } from '../stream/lost-class.js';
import type { Change, StateHolder, StateSpace } from '../stream/state-space.js';

/** A record that an operator was given, with its name in every incarnation of the run. */
export type GivenRecord<In> = readonly [record: In, name: string];

export class OperatorHistory<In> implements StateHolder {
  private readonly limit: number;
  private readonly onFull: () => void;
  /** Records since the last checkpoint. */
  private given: GivenRecord<In>[] = [];
  /** The number of records of this operator in all incarnations. */
  private count = 0;
  private chunks = 0;
  private isFull = false;
  /** Records that an earlier incarnation gave to its operator, and that this one has not given yet. */
  private readonly again: GivenRecord<In>[] = [];
  private next = 0;

  /**
   * @param limit the most records.
   * @param onFull called once, if there are more.
   */
  constructor(space: StateSpace, limit: number, onFull: () => void) {
    this.limit = limit;
    this.onFull = onFull;
    for (const [chunk, records] of space.restored) {
      this.chunks = Math.max(this.chunks, Number(chunk) + 1);
      for (const record of records as readonly GivenRecord<In>[]) this.again.push(record);
    }
    this.count = this.again.length;
    space.setHolder(this);
    space.consumed();
  }

  /** Whether there are records that must be given again before any new one. */
  get isBehind(): boolean {
    return this.next < this.again.length;
  }

  /** The next record that must be given again. Call only while `isBehind`. */
  nextAgain(): GivenRecord<In> {
    const record = this.again[this.next++] as GivenRecord<In>;
    if (!this.isBehind) this.again.length = this.next = 0;
    return record;
  }

  /** Keeps a copy of a record that the operator is given, and may change before the next checkpoint. */
  add([record, name]: GivenRecord<In>): void {
    if (this.isFull) return;
    this.count++;
    if (this.count <= this.limit) this.given.push([copyOf(record), name]);
    else {
      this.isFull = true;
      this.given = [];
      this.onFull();
    }
  }

  *changes(): Iterable<Change> {
    if (this.given.length === 0) return;
    yield [String(this.chunks++), [this.given]];
    this.given = [];
  }
}

/**
 * A record that cannot be copied stays as it is, and the checkpoint reports it. Plain data comes back from a copy
 * unchanged.
 */
function copyOf<In>(record: In): In {
  if (typeof record !== 'object' || record === null || lostClass(record) !== undefined) return record;
  try {
    return structuredClone(record);
  } catch {
    return record;
  }
}
