/**
 * RxJS's combineLatest over records, for state-like inputs (a price beside a setting). Each arrival is paired with the
 * newest record of each other input, and the tuple gets a new lineage in a root of its own.
 *
 * Guarantees: arrivals wait (and hold their source back) until each input has delivered its first record, and are then
 * processed in order of arrival, so the first value of a synchronous source is never lost. Arrivals that can never be
 * paired, because an input ended without a record, are counted as skipped, with the reason.
 */
import type { Observable, Subscriber } from 'rxjs';
import type { TaskScope } from './task-scope.js';
import { Waiter, type Awaitable } from '../model/awaitable.js';
import type { Batch } from '../model/record.js';
import { Intake, type Arrival } from './intake.js';
import { operateOn, type Engine } from './operate.js';
import { pumpInto } from './pump-root.js';
import type { Reader } from './reader.js';
import type { Change, StateSpace } from './state-space.js';

/** The key under which the state records that the first tuple was emitted. */
const FIRST_DONE = 'first tuple';

export function joinLatest(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
): Observable<Batch<unknown[]>> {
  return operateOn(inputs, (subscriber) => new LatestJoin(names, scope, subscriber));
}

interface Early extends Arrival {
  /** Whether it is still in flight in its own root. */
  readonly isInFlight: boolean;
  /** Identifies the record in every incarnation; only kept outputs need it. */
  readonly name: string;
}

/** The newest record of one input. */
interface Newest {
  readonly value: unknown;
  readonly name: string;
}

class LatestJoin implements Engine<unknown>, Reader<unknown[]> {
  private readonly names: readonly string[];
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<unknown[]>>;
  private readonly intake: Intake;
  private readonly newest: (Newest | undefined)[];
  /** Arrivals that wait for the first record of another input, or for their turn after it. */
  private early: Early[] = [];
  private played = 0;
  private missing: number;
  /** True when the first tuple is due: each input has its first record. */
  private isFirstDue = false;
  private readonly openInputs: Set<number>;
  private isHopeless = false;
  private isClosed = false;
  /** True in a run that drains before each input has a record: its state contains the waiting arrivals. */
  private hasReleasedEarly = false;
  private readonly waiter = new Waiter();

  constructor(names: readonly string[], scope: TaskScope, subscriber: Subscriber<Batch<unknown[]>>) {
    this.names = names;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope, subscriber);
    this.newest = names.map(() => undefined);
    this.missing = names.length;
    this.openInputs = new Set(names.keys());
    if (scope.state !== undefined) this.keepIn(scope.state);
  }

  connect(): void {
    const { scope, subscriber } = this;
    scope.account.watch(() => ({ queued: this.intake.size + this.early.length - this.played, running: 0, waiting: 0 }));
    scope.explain(() => {
      const first = this.early[0];
      if (this.missing === 0 || first === undefined) return undefined;
      return { lineage: first.lineage, for: this.names.filter((_, index) => this.newest[index] === undefined) };
    });
    pumpInto<unknown[]>(scope.outputs?.continuing(this, scope.past) ?? this, scope, subscriber);
  }

  accept(batch: Batch<unknown>, input: number): void {
    this.intake.accept(batch, input);
    this.wait();
  }

  endInput(input: number): void {
    this.openInputs.delete(input);
    this.wait();
  }

  /** Returns tuples of the arrivals that wait. */
  read(max: number): Awaitable<readonly unknown[][] | null> {
    const tuples: unknown[][] = [];
    while (tuples.length < max && this.missing === 0) {
      if (this.isFirstDue) tuples.push(this.first());
      else if (this.early.length > this.played) tuples.push(this.pair(this.early[this.played++] as Early));
      else if (this.intake.size > 0) tuples.push(this.pair(this.named(this.intake.shift(), true)));
      else break;
    }
    if (tuples.length > 0) return tuples;
    const isEmpty = this.hasReleasedEarly || (this.intake.size === 0 && this.early.length === this.played);
    if (this.isClosed || (this.openInputs.size === 0 && isEmpty)) return null;
    return this.waiter.wait().then(() => this.read(max));
  }

  close(): void {
    this.isClosed = true;
    this.waiter.wake();
  }

  /** Lets arrivals wait while an input has no record, and wakes the reader. */
  private wait(): void {
    while (this.missing > 0 && this.intake.size > 0) this.meet(this.intake.shift());
    this.checkHope();
    this.waiter.wake();
  }

  private meet(arrival: Arrival): void {
    if (this.isHopeless) {
      this.scope.skip('no value to pair with');
      this.intake.letGo(arrival);
      return;
    }
    const early = this.named(arrival, !this.starvesMissing(arrival.input));
    this.early.push(early);
    if (!early.isInFlight) this.intake.letGo(arrival);
    this.count(early);
  }

  private count(early: Early): void {
    const { input, isInFlight } = early;
    if (this.newest[input] === undefined) {
      this.newest[input] = early;
      if (--this.missing === 0) this.isFirstDue = true;
      // Arrivals that drained runs have left are not in flight either, but none of them is lost.
    } else if (!isInFlight && this.starvesMissing(input)) this.makeWay(input);
  }

  /** The first records make one tuple. The others follow in order of arrival. */
  private first(): unknown[] {
    this.isFirstDue = false;
    const isFirst = this.names.map(() => true);
    this.early = this.early.filter((arrival) => {
      if (isFirst[arrival.input] !== true) return true;
      isFirst[arrival.input] = false;
      if (arrival.isInFlight) this.intake.letGo(arrival);
      return false;
    });
    return this.tuple();
  }

  private pair(arrival: Early): unknown[] {
    this.newest[arrival.input] = arrival;
    if (arrival.isInFlight) this.intake.letGo(arrival);
    if (this.played === this.early.length) {
      this.early = [];
      this.played = 0;
    }
    return this.tuple();
  }

  private tuple(): unknown[] {
    const { newest, scope } = this;
    scope.outputs?.announce(newest.map((record) => record?.name ?? '').join('+'));
    return newest.map((record) => record?.value);
  }

  private named(arrival: Arrival, isInFlight: boolean): Early {
    const { scope } = this;
    const root = scope.inputs[arrival.input]?.root;
    return { ...arrival, isInFlight, name: scope.outputs === undefined ? '' : scope.identityOf(arrival.lineage, root) };
  }

  /**
   * Continues with the state of an earlier incarnation, and keeps the state of this one. Before the first tuple, the
   * state has the arrivals that have left their root, in order; after it, the newest record of each input. An arrival
   * that is still in flight arrives again in a resumed run.
   */
  private keepIn(space: StateSpace): void {
    for (const [key, entry] of space.restored) {
      if (key.startsWith('early')) {
        const early = entry as Early;
        this.early.push(early);
        // Before the first tuple these arrivals are counted. After it they only wait for their turn.
        if (!space.restored.has(FIRST_DONE)) this.count(early);
      } else if (key !== FIRST_DONE) {
        this.newest[Number(key)] = entry as Newest;
      }
    }
    if (space.restored.has(FIRST_DONE)) this.missing = 0;
    const stored = new Map<string, string>([...space.restored.keys()].map((key) => [key, '']));
    space.setHolder({
      changes: () => {
        // By key, the name of the record and the value that is stored.
        const now = new Map<string, readonly [name: string, value: unknown]>();
        const isFirstDone = this.missing === 0 && !this.isFirstDue;
        if (isFirstDone) {
          now.set(FIRST_DONE, ['', true]);
          for (const [input, record] of this.newest.entries()) {
            if (record === undefined) continue;
            const { value, name } = record;
            now.set(String(input), [name, { value, name }]);
          }
        }
        const waiting = this.early.slice(this.played).filter(({ isInFlight }) => !isInFlight);
        for (const early of waiting) now.set(`early ${early.input} ${early.name}`, [early.name, early]);
        const changes: Change[] = [];
        for (const key of stored.keys()) {
          if (now.has(key)) continue;
          stored.delete(key);
          changes.push([key, undefined]);
        }
        for (const [key, [name, value]] of now) {
          if (stored.get(key) === name) continue;
          stored.set(key, name);
          changes.push([key, [value]]);
        }
        return changes;
      },
    });
  }

  /**
   * An arrival in flight eventually holds back all roots that it descends from. A missing input that descends from one of
   * these roots too (a filter or an aggregate over the same source) would then wait for ever. Such arrivals are
   * therefore released at once. If there are more than one window of them, the older ones are dropped, but never the
   * first.
   */
  private starvesMissing(input: number): boolean {
    const own = this.scope.inputs[input]?.descent ?? new Set();
    return this.scope.inputs.some(
      ({ descent }, other) =>
        other !== input && this.newest[other] === undefined && [...own].some((root) => descent.has(root)),
    );
  }

  private makeWay(input: number): void {
    const ofInput = this.early.filter((arrival) => arrival.input === input);
    const [, oldest] = ofInput;
    if (oldest === undefined || ofInput.length <= (this.scope.inputs[input]?.root.window ?? 0)) return;
    this.early.splice(this.early.indexOf(oldest), 1);
    this.scope.skip('superseded before every input had a value');
  }

  private releaseEarly(): void {
    this.hasReleasedEarly = true;
    this.early = this.early.map((arrival) => {
      if (arrival.isInFlight) this.intake.letGo(arrival);
      return { ...arrival, isInFlight: false };
    });
  }

  /** Whether an input ended without a record, so that no arrival can ever be paired. */
  private checkHope(): void {
    if (this.isHopeless || this.missing === 0) return;
    const never = this.names.findIndex((_, index) => this.newest[index] === undefined && !this.openInputs.has(index));
    if (never === -1 || this.intake.size > 0) return;
    if (this.scope.isDraining && this.scope.state !== undefined) {
      this.releaseEarly();
      return;
    }
    this.isHopeless = true;
    for (const arrival of this.early) {
      this.scope.skip(`'${this.names[never] ?? ''}' gave no value to pair with`);
      if (arrival.isInFlight) this.intake.letGo(arrival);
    }
    this.early = [];
    for (const edge of this.scope.inputs) edge.stop();
  }
}
