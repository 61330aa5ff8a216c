/**
 * Joins the records of two roots on a key: a symmetric hash join (Wilschut & Apers, 1991) with bounded state.
 *
 * Each arrival is paired with all records of the other side that have its key, as in SQL, and is kept for later arrivals.
 *
 * Guarantees: the state holds at most `capacity` records per side. A record that is evicted without a match fails by the
 * policy of the task (by default a dead letter), with the reason. Neither side waits for the other, so there is no
 * deadlock. When one side is over, records of the other side that can no longer match end at once.
 */
import { Observable, type Subscriber } from 'rxjs';
import { MillraceError, describeValue } from '../model/errors.js';
import type { TaskScope } from './task-scope.js';
import type { Batch } from '../model/record.js';
import { Intake, type Arrival } from './intake.js';
import { Outbox } from './outbox.js';
import { pumpRoot } from './pump-root.js';

/** Which unmatched records are emitted: none, those of the first dependency, or those of both. */
export type KeyedKind = 'inner' | 'left' | 'outer';

export interface KeyedOptions {
  /** One key function per dependency. Keys are compared as a Map compares them. */
  readonly on: readonly [(record: unknown) => unknown, (record: unknown) => unknown];
  /** Default: inner. */
  readonly kind: KeyedKind;
  /** The maximum number of records kept per side. */
  readonly capacity: number;
}

type Pair = [unknown, unknown];

interface Entry {
  readonly key: unknown;
  readonly arrival: Arrival;
  isMatched: boolean;
}

/** The kept records of one side, oldest first. */
class Side {
  readonly byKey = new Map<unknown, Set<Entry>>();
  readonly inOrder = new Set<Entry>();
  /** After the end of the input: the number of waiting arrivals that may belong to this side. */
  private left = Infinity;

  /** Whether no more records of this side can arrive or be processed. */
  get isOver(): boolean {
    return this.left <= 0;
  }

  /** Marks the input as over, while `waiting` arrivals of both sides wait. */
  endAfter(waiting: number): void {
    this.left = waiting;
  }

  /** Counts one of the waiting arrivals as processed. */
  countDown(): void {
    this.left--;
  }

  add(entry: Entry): void {
    const same = this.byKey.get(entry.key);
    if (same === undefined) this.byKey.set(entry.key, new Set([entry]));
    else same.add(entry);
    this.inOrder.add(entry);
  }

  remove(entry: Entry): void {
    const same = this.byKey.get(entry.key);
    same?.delete(entry);
    if (same?.size === 0) this.byKey.delete(entry.key);
    this.inOrder.delete(entry);
  }
}

export function joinKeyed(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  options: KeyedOptions,
  scope: TaskScope,
): Observable<Batch<Pair>> {
  return new Observable((subscriber) => {
    new KeyedJoin(names, options, scope, subscriber).connect(inputs);
  });
}

class KeyedJoin {
  private readonly names: readonly string[];
  private readonly options: KeyedOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Pair>>;
  private readonly intake: Intake;
  private readonly outbox: Outbox<Pair>;
  private readonly sides: readonly [Side, Side] = [new Side(), new Side()];
  /** Pairs of the current arrival that have not been emitted. They are made one at a time, while there is room. */
  private pending: Iterator<Pair> | undefined;
  private isWorking = false;

  constructor(names: readonly string[], options: KeyedOptions, scope: TaskScope, subscriber: Subscriber<Batch<Pair>>) {
    this.names = names;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope);
    this.outbox = new Outbox({
      capacity: scope.root.window,
      overflow: 'error',
      name: scope.task,
      onTaken: () => {
        this.work();
      },
    });
  }

  connect(inputs: readonly Observable<Batch<unknown>>[]): void {
    const { subscriber } = this;
    subscriber.add(pumpRoot<Pair>(this.outbox, this.scope).subscribe(subscriber));
    this.intake.connect(
      inputs,
      {
        onArrival: () => {
          this.work();
        },
        onInputOver: (input) => {
          this.sideOf(input).endAfter(this.intake.size);
          this.work();
        },
      },
      subscriber,
    );
  }

  /** Emits pending pairs, then processes the next arrival, while the output has room. */
  private work(): void {
    if (this.isWorking) return;
    this.isWorking = true;
    try {
      while (this.outbox.size < this.outbox.capacity) {
        if (this.pending !== undefined) {
          const step = this.pending.next();
          if (step.done === true) this.pending = undefined;
          else this.outbox.push(step.value);
        } else if (this.intake.size > 0) {
          const arrival = this.intake.shift();
          for (const side of this.sides) side.countDown();
          this.pending = this.meet(arrival);
        } else if (!this.endUnmatched()) break;
      }
    } catch (error) {
      this.subscriber.error(error);
    } finally {
      this.isWorking = false;
    }
  }

  /** Keeps the arrival, evicts older ones for it, and yields its pairs. */
  private meet(arrival: Arrival): Iterator<Pair> | undefined {
    let key: unknown;
    try {
      key = this.options.on[arrival.input === 0 ? 0 : 1](arrival.value);
    } catch (error) {
      this.giveUp(arrival, error);
      this.intake.letGo(arrival);
      return undefined;
    }
    const own = this.sideOf(arrival.input);
    const other = this.sideOf(1 - arrival.input);
    const entry: Entry = { key, arrival, isMatched: false };
    const partners = [...(other.byKey.get(key) ?? [])];
    entry.isMatched = partners.length > 0;
    for (const partner of partners) partner.isMatched = true;
    // Read once: `letGo` may end the other side, and the entry must not count as both kept and over.
    const mayStillMatch = !other.isOver;
    if (mayStillMatch) {
      own.add(entry);
      if (own.inOrder.size > this.options.capacity) this.evict(own);
    }
    this.intake.letGo(arrival);
    if (partners.length === 0 && !mayStillMatch) return this.unmatched([entry]);
    return partners.map((partner) => this.pairOf(arrival, partner.arrival)).values();
  }

  private pairOf(one: Arrival, other: Arrival): Pair {
    return one.input === 0 ? [one.value, other.value] : [other.value, one.value];
  }

  private evict(side: Side): void {
    const [oldest] = side.inOrder;
    if (oldest === undefined) return;
    side.remove(oldest);
    if (oldest.isMatched) return;
    const from = this.names[oldest.arrival.input] ?? '';
    this.giveUp(
      oldest.arrival,
      new MillraceError(
        'MILLRACE_EVICTED',
        `'${this.scope.task}' gave up waiting for a match of a record of '${from}' with key ${describeValue(oldest.key)}: ${this.options.capacity} records are kept a side. Raise \`capacity\``,
      ),
    );
  }

  /**
   * Ends the unmatched records of one side when the other is over. Returns whether it ended any. Completes the output when
   * both sides are over and empty.
   */
  private endUnmatched(): boolean {
    for (const [index, side] of this.sides.entries()) {
      const other = this.sideOf(1 - index);
      if (!other.isOver || side.inOrder.size === 0) continue;
      const entries = [...side.inOrder].filter((entry) => !entry.isMatched);
      side.byKey.clear();
      side.inOrder.clear();
      // A drained input may have had more records, so an unmatched record would be a wrong answer.
      if (!this.scope.isDraining) this.pending = this.unmatched(entries);
      return true;
    }
    if (this.sides[0].isOver && this.sides[1].isOver) this.outbox.complete();
    return false;
  }

  private *unmatched(entries: readonly Entry[]): Generator<Pair> {
    const { kind } = this.options;
    for (const { arrival } of entries) {
      if (kind === 'outer' || (kind === 'left' && arrival.input === 0)) {
        yield arrival.input === 0 ? [arrival.value, undefined] : [undefined, arrival.value];
      } else this.scope.skip(`no match in '${this.names[1 - arrival.input] ?? ''}'`);
    }
  }

  private giveUp({ value, lineage, input }: Arrival, error: unknown): void {
    this.scope.giveUp({ lineage, record: value, error, attempts: 1, takenFrom: this.scope.inputs[input]?.root });
  }

  private sideOf(input: number): Side {
    return this.sides[input === 0 ? 0 : 1];
  }
}
