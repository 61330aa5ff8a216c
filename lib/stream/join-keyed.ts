/**
 * Joins the records of two roots on a key: a symmetric hash join (Wilschut & Apers, 1991) with bounded state.
 *
 * Each arrival is paired with all records of the other side that have its key, as in SQL, and is kept for later
 * arrivals.
 *
 * Guarantees: the state holds at most `capacity` records per side. A record that is evicted without a match fails by
 * the policy of the task (by default a dead letter), with the reason. Neither side waits for the other, so there is no
 * deadlock. When one side is over, records of the other side that can no longer match end at once.
 */
import type { Observable, Subscriber } from 'rxjs';
import { checkKey } from '../execution/partition-key.js';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import { MillraceError, describeValue } from '../model/errors.js';
import type { TaskScope } from './task-scope.js';
import type { Batch } from '../model/record.js';
import { Intake, type Arrival } from './intake.js';
import { KeptEntries } from './kept-entries.js';
import { operateOn, type Engine } from './operate.js';
import { pumpInto } from './pump-root.js';
import type { Reader } from './reader.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';

/** The unmatched records that are emitted: none, those of the first dependency, or those of both. */
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

/** A record that has left its root. Its name identifies it in every incarnation; only kept outputs need the name. */
interface Met extends Arrival {
  readonly name: string;
}

interface Entry {
  readonly key: unknown;
  readonly arrival: Met;
  isMatched: boolean;
}

/** The two records of a pair that has not been emitted; one of them is undefined if it has no match. */
interface Match {
  readonly left: Met | undefined;
  readonly right: Met | undefined;
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
  return operateOn(inputs, (subscriber) => new KeyedJoin(names, options, scope, subscriber));
}

class KeyedJoin implements Engine<unknown>, Reader<Pair> {
  private readonly names: readonly string[];
  private readonly options: KeyedOptions;
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<Pair>>;
  private readonly intake: Intake;
  private readonly sides: readonly [Side, Side] = [new Side(), new Side()];
  /** The pairs of the current arrival. Those from index `made` on are not emitted yet, and wait for room. */
  private matches: readonly Match[] = [];
  private made = 0;
  private readonly waiter = new Waiter();
  private isClosed = false;
  /** Set if the state is kept. */
  private readonly kept: KeptSides | undefined;

  constructor(names: readonly string[], options: KeyedOptions, scope: TaskScope, subscriber: Subscriber<Batch<Pair>>) {
    this.names = names;
    this.options = options;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope, subscriber);
    if (scope.state !== undefined) {
      const isKept = (entry: Entry): boolean => this.sideOf(entry.arrival.input).inOrder.has(entry);
      this.kept = new KeptSides(scope.state, isKept, () => this.matches.slice(this.made));
    }
  }

  connect(): void {
    const { scope, subscriber, kept } = this;
    if (kept !== undefined) this.restore(kept);
    pumpInto<Pair>(scope.outputs?.continuing(this, scope.past) ?? this, scope, subscriber);
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.waiter.wake();
  }

  endInput(input: number): void {
    this.sideOf(input).endAfter(this.intake.size);
    this.waiter.wake();
  }

  /** Returns pairs, and processes the next arrivals until there are some. */
  read(max: number): Awaitable<readonly Pair[] | null> {
    const pairs: Pair[] = [];
    while (pairs.length < max && !this.isClosed) {
      if (this.made < this.matches.length) {
        pairs.push(this.make(this.matches[this.made++] as Match));
      } else if (this.intake.size > 0) {
        const arrival = this.intake.shift();
        for (const side of this.sides) side.countDown();
        this.follow(this.meet({ ...arrival, name: this.nameOf(arrival) }));
      } else if (!this.endUnmatched()) break;
    }
    if (pairs.length > 0) return pairs;
    if (this.isClosed || (this.sides[0].isOver && this.sides[1].isOver)) return null;
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  private follow(matches: readonly Match[]): void {
    this.matches = matches;
    this.made = 0;
  }

  /** Keeps the arrival, evicts an older one if there are too many, and returns the pairs of the arrival. */
  private meet(arrival: Met): readonly Match[] {
    let key: unknown;
    try {
      key = this.keyOf(arrival);
    } catch (error) {
      this.giveUp(arrival, error);
      this.intake.letGo(arrival);
      return [];
    }
    const own = this.sideOf(arrival.input);
    const other = this.sideOf(1 - arrival.input);
    const entry: Entry = { key, arrival, isMatched: false };
    const partners = [...(other.byKey.get(key) ?? [])];
    entry.isMatched = partners.length > 0;
    for (const partner of partners) {
      if (!partner.isMatched) this.kept?.entries.changed(partner);
      partner.isMatched = true;
    }
    // Computed once, because `letGo` may end the other side, and the entry must not be both kept and unmatched.
    const mayStillMatch = !other.isOver || this.continuesLater;
    if (mayStillMatch) {
      own.add(entry);
      this.kept?.entries.changed(entry);
      if (own.inOrder.size > this.options.capacity) this.evict(own);
    }
    this.intake.letGo(arrival);
    if (partners.length === 0 && !mayStillMatch) return this.unmatched([entry]);
    return partners.map(({ arrival: partner }) =>
      arrival.input === 0 ? { left: arrival, right: partner } : { left: partner, right: arrival },
    );
  }

  private make({ left, right }: Match): Pair {
    this.scope.outputs?.announce(`${left?.name ?? ''}+${right?.name ?? ''}`);
    return [left?.value, right?.value];
  }

  private nameOf({ input, lineage }: Arrival): string {
    const { scope } = this;
    return scope.outputs === undefined ? '' : scope.identityOf(lineage, scope.inputs[input]?.root);
  }

  private keyOf({ input, value }: Arrival): unknown {
    return checkKey(this.options.on[input === 0 ? 0 : 1](value), 'on', this.scope.task);
  }

  /** Continues with the records and pairs that an earlier incarnation left. */
  private restore(kept: KeptSides): void {
    const matches = kept.restore((arrival, isMatched) => {
      const entry: Entry = { key: this.keyOf(arrival), arrival, isMatched };
      this.sideOf(arrival.input).add(entry);
      return entry;
    });
    this.follow(matches);
  }

  private evict(side: Side): void {
    const [oldest] = side.inOrder;
    if (oldest === undefined) return;
    side.remove(oldest);
    this.kept?.entries.removed(oldest);
    if (oldest.isMatched) return;
    const from = this.names[oldest.arrival.input] ?? '';
    this.giveUp(
      oldest.arrival,
      new MillraceError(
        'MILLRACE_EVICTED',
        `'${this.scope.task}' gave up waiting for a match of a record of '${from}' with key ${describeValue(oldest.key)}: ${this.options.capacity} records are kept per side. Raise \`capacity\``,
      ),
    );
  }

  /** Whether the inputs end only because the run drains, and a resumed run continues with the state of the join. */
  private get continuesLater(): boolean {
    return this.scope.isDraining && this.kept !== undefined;
  }

  /** Ends the unmatched records of one side when the other is over. Returns whether it ended any. */
  private endUnmatched(): boolean {
    if (this.continuesLater) return false;
    for (const [index, side] of this.sides.entries()) {
      const other = this.sideOf(1 - index);
      if (!other.isOver || side.inOrder.size === 0) continue;
      const entries = [...side.inOrder].filter((entry) => !entry.isMatched);
      for (const entry of side.inOrder) this.kept?.entries.removed(entry);
      side.byKey.clear();
      side.inOrder.clear();
      // A drained input may have had more records, so an unmatched record would be a wrong answer.
      if (!this.scope.isDraining) this.follow(this.unmatched(entries));
      return true;
    }
    return false;
  }

  /** Skips unmatched records, or returns them as pairs with one side. */
  private unmatched(entries: readonly Entry[]): readonly Match[] {
    const { kind } = this.options;
    const matches: Match[] = [];
    for (const { arrival } of entries) {
      const isLeft = arrival.input === 0;
      if (kind === 'outer' || (kind === 'left' && isLeft)) {
        matches.push(isLeft ? { left: arrival, right: undefined } : { left: undefined, right: arrival });
      } else this.scope.skip(`no match in '${this.names[1 - arrival.input] ?? ''}'`);
    }
    return matches;
  }

  private giveUp({ value, lineage, input, name }: Met, error: unknown): void {
    this.scope.giveUp({ lineage, record: value, error, attempts: 1, takenFrom: this.scope.inputs[input]?.root, name });
  }

  private sideOf(input: number): Side {
    return this.sides[input === 0 ? 0 : 1];
  }
}

/** A kept record in the form in which it is stored. */
type StoredEntry = readonly [arrival: Met, isMatched: boolean];

const MATCHES = 'matches';

/** The kept records of both sides, and the pairs that have not been emitted, as a part of the durable state. */
class KeptSides implements StateHolder {
  readonly entries: KeptEntries<Entry>;
  private readonly space: StateSpace;
  private readonly matchesLeft: () => readonly Match[];
  private hasMatches: boolean;

  /** @param matchesLeft returns the pairs that have not been emitted. */
  constructor(space: StateSpace, isKept: (entry: Entry) => boolean, matchesLeft: () => readonly Match[]) {
    this.space = space;
    this.matchesLeft = matchesLeft;
    this.hasMatches = space.restored.has(MATCHES);
    this.entries = new KeptEntries(
      (entry) => (isKept(entry) ? [[entry.arrival, entry.isMatched] satisfies StoredEntry] : undefined),
      // The key has the name of a record, because its number may belong to another record in the next incarnation.
      ({ arrival: { input, name } }) => `${input} ${name}`,
    );
    space.setHolder(this);
  }

  /** Passes the records that an earlier incarnation left to `keep`. Returns the pairs that it left. */
  restore(keep: (...stored: StoredEntry) => Entry): readonly Match[] {
    const { restored } = this.space;
    for (const [key, stored] of restored) {
      if (key !== MATCHES) this.entries.restored(keep(...(stored as StoredEntry)), key);
    }
    this.space.consumed();
    return (restored.get(MATCHES) as readonly Match[] | undefined) ?? [];
  }

  *changes(): Iterable<Change> {
    yield* this.entries.changes();
    const matches = this.matchesLeft();
    if (matches.length > 0) yield [MATCHES, [matches]];
    else if (this.hasMatches) yield [MATCHES, undefined];
    this.hasMatches = matches.length > 0;
  }
}
