/**
 * The durable input of a user's operator: every record that was passed to it, in order. The state of an operator cannot
 * be read, so a resumed run passes the same records to a new operator.
 *
 * Guarantees: a checkpoint adds only the records since the checkpoint before, as they were when the operator received
 * them. An operator that reports that it holds nothing needs no record from before, so those are removed. Beyond the
 * limit nothing is kept any more, and the run reports that it cannot be resumed.
 */
import { lostClass } from '../stream/lost-class.js';
import type { Change, StateHolder, StateSpace } from '../stream/state-space.js';

/** A record that an operator was given, with its name in every incarnation of the run. */
export type GivenRecord<In> = readonly [record: In, name: string];

/** The moment at which the operator held nothing of the records that it had received. */
interface Mark {
  /** The records that it had received, and the outputs that it had emitted. */
  readonly given: number;
  readonly emitted: number;
}

/** A stored entry, and the records before its end. */
interface StoredChunk {
  readonly key: string;
  readonly end: number;
}

export interface HistoryLimits {
  /** The most records. */
  readonly most: number;
  /** Called once, if there are more. */
  readonly onFull: () => void;
  /** The number of outputs that have been born, and are kept themselves from then on. */
  readonly born: () => number;
}

/** The key of the number of outputs that the forgotten records have made. */
const FORGOTTEN = 'forgotten';

export class OperatorHistory<In> implements StateHolder {
  private readonly limits: HistoryLimits;
  /** The outputs that the forgotten records had made. Those of the first record that is given again follow them. */
  readonly outputsBefore: number;
  /** Records since the last checkpoint. */
  private given: GivenRecord<In>[] = [];
  /** The records of this operator in all incarnations, without those that an earlier incarnation has forgotten. */
  private count = 0;
  private forgotten = 0;
  /** Marks whose outputs are not all born. */
  private marks: Mark[] = [];
  private passed: Mark | undefined;
  private readonly stored: StoredChunk[] = [];
  private chunks = 0;
  private isFull = false;
  /** Records that an earlier incarnation gave to its operator, and that this one has not given yet. */
  private readonly again: GivenRecord<In>[] = [];
  private next = 0;

  constructor(space: StateSpace, limits: HistoryLimits) {
    this.limits = limits;
    const { restored } = space;
    this.outputsBefore = (restored.get(FORGOTTEN) as number | undefined) ?? 0;
    for (const [chunk, records] of restored) {
      if (chunk === FORGOTTEN) continue;
      this.chunks = Math.max(this.chunks, Number(chunk) + 1);
      for (const record of records as readonly GivenRecord<In>[]) this.again.push(record);
      this.stored.push({ key: chunk, end: this.again.length });
    }
    this.count = this.again.length;
    space.setHolder(this);
    space.consumed();
  }

  /** Whether there are records that must be given again before any new one. */
  get isBehind(): boolean {
    return this.next < this.again.length;
  }

  /** Whether records have been forgotten, in this incarnation or before. */
  get hasForgotten(): boolean {
    return this.outputsBefore > 0 || this.forgotten > 0;
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
    const { most } = this.limits;
    if (this.count - this.forgotten >= most) this.forget();
    if (this.count - this.forgotten < most) {
      this.count++;
      this.given.push([copyOf(record), name]);
    } else {
      this.isFull = true;
      this.given = [];
      this.marks = [];
      this.limits.onFull();
    }
  }

  /**
   * The operator holds nothing of the records so far. They are forgotten once the outputs that it has emitted are born.
   * While records are given again, nothing is: the earlier incarnation has kept them, although it had this mark.
   */
  mark(emitted: number): void {
    if (this.isFull || this.isBehind) return;
    const last = this.marks.at(-1);
    if (last?.given === this.count) return;
    if (last?.emitted === emitted) this.marks.pop();
    this.marks.push({ given: this.count, emitted });
  }

  /** From now on nothing is forgotten. */
  keepAll(): void {
    this.marks = [];
  }

  *changes(): Iterable<Change> {
    if (this.isFull) return;
    this.forget();
    if (this.passed !== undefined) {
      yield [FORGOTTEN, [this.passed.emitted]];
      this.passed = undefined;
    }
    for (let [chunk] = this.stored; chunk !== undefined && chunk.end <= this.forgotten; [chunk] = this.stored) {
      this.stored.shift();
      yield [chunk.key, undefined];
    }
    // A mark that may pass later must be at the end of an entry, which can only be removed as a whole.
    let start = this.count - this.given.length;
    const ends = this.marks.map(({ given }) => given).filter((end) => end > start);
    for (const end of new Set([...ends, this.count])) {
      if (end === start) continue;
      const key = String(this.chunks++);
      this.stored.push({ key, end });
      yield [key, [this.given.splice(0, end - start)]];
      start = end;
    }
  }

  /** Forgets the records before the last mark whose outputs are all born. */
  private forget(): void {
    const born = this.limits.born();
    let passed = 0;
    while (passed < this.marks.length && (this.marks[passed] as Mark).emitted <= born) passed++;
    const mark = this.marks[passed - 1];
    if (mark === undefined) return;
    this.marks.splice(0, passed);
    const start = this.count - this.given.length;
    this.given.splice(0, Math.max(0, mark.given - start));
    this.forgotten = mark.given;
    this.passed = mark;
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
