/**
 * RxJS's combineLatest over records, for state-like inputs (a price beside a setting). Each arrival is paired with the
 * newest record of each other input, and the tuple gets a new lineage in a root of its own.
 *
 * Guarantees: arrivals wait (and hold their source back) until each input has delivered its first record, and are then
 * processed in order of arrival, so the first value of a synchronous source is never lost. Arrivals that can never be
 * paired, because an input ended without a record, are counted as skipped, with the reason.
 */
import { Observable, type Subscriber } from 'rxjs';
import type { TaskScope } from './task-scope.js';
import type { Batch } from '../model/record.js';
import { Intake, type Arrival } from './intake.js';
import { Outbox } from './outbox.js';
import { pumpRoot } from './pump-root.js';

const NOTHING_YET: unique symbol = Symbol('millrace.nothing-yet');

export function joinLatest(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
): Observable<Batch<unknown[]>> {
  return new Observable((subscriber) => {
    new LatestJoin(names, scope, subscriber).connect(inputs);
  });
}

interface Early extends Arrival {
  /** Still in flight in its own root. */
  readonly isHeld: boolean;
}

class LatestJoin {
  private readonly names: readonly string[];
  private readonly scope: TaskScope;
  private readonly subscriber: Subscriber<Batch<unknown[]>>;
  private readonly intake: Intake;
  private readonly newest: unknown[];
  /** Arrivals that wait for the first record of another input. */
  private early: Early[] = [];
  private played = 0;
  private missing: number;
  private readonly openInputs: Set<number>;
  private isHopeless = false;
  private isWorking = false;
  private readonly outbox: Outbox<unknown[]>;

  constructor(names: readonly string[], scope: TaskScope, subscriber: Subscriber<Batch<unknown[]>>) {
    this.names = names;
    this.scope = scope;
    this.subscriber = subscriber;
    this.intake = new Intake(scope);
    this.newest = names.map(() => NOTHING_YET);
    this.missing = names.length;
    this.openInputs = new Set(names.keys());
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
    const { scope, subscriber } = this;
    scope.account.watch(() => ({
      queued: this.intake.size + this.early.length - this.played,
      running: 0,
      waiting: this.outbox.size,
    }));
    scope.explain(() => {
      const first = this.early[0];
      if (this.missing === 0 || first === undefined) return undefined;
      return { lineage: first.lineage, for: this.names.filter((_, index) => this.newest[index] === NOTHING_YET) };
    });
    subscriber.add(pumpRoot<unknown[]>(this.outbox, scope).subscribe(subscriber));
    this.intake.connect(
      inputs,
      {
        onArrival: () => {
          this.work();
        },
        onInputOver: (input) => {
          this.openInputs.delete(input);
          this.work();
        },
      },
      subscriber,
    );
  }

  /** Pairs waiting arrivals, while the output has room. */
  private work(): void {
    if (this.isWorking) return;
    this.isWorking = true;
    for (;;) {
      if (this.missing === 0 && this.outbox.size >= this.outbox.capacity) break;
      if (this.missing === 0 && this.early.length > this.played) this.pair(this.early[this.played++] as Early);
      else if (this.intake.size > 0) this.meet(this.intake.shift());
      else break;
    }
    this.isWorking = false;
    this.checkHope();
    if (this.openInputs.size === 0 && this.intake.size === 0 && this.early.length === this.played) {
      this.outbox.complete();
    }
  }

  private meet(arrival: Arrival): void {
    if (this.isHopeless) {
      this.scope.skip('no value to pair with');
      this.intake.letGo(arrival);
    } else if (this.missing === 0) this.pair({ ...arrival, isHeld: true });
    else this.wait(arrival);
  }

  private wait(arrival: Arrival): void {
    const isHeld = !this.starvesMissing(arrival.input);
    this.early.push({ ...arrival, isHeld });
    if (!isHeld) this.intake.letGo(arrival);
    if (this.newest[arrival.input] === NOTHING_YET) {
      this.newest[arrival.input] = arrival.value;
      if (--this.missing === 0) this.emitFirst();
    } else if (!isHeld) this.makeWay(arrival.input);
  }

  /**
   * Called when each input has its first record: the first records make one tuple, and the others follow in order of
   * arrival.
   */
  private emitFirst(): void {
    const isFirst = this.names.map(() => true);
    this.early = this.early.filter((arrival) => {
      if (isFirst[arrival.input] !== true) return true;
      isFirst[arrival.input] = false;
      if (arrival.isHeld) this.intake.letGo(arrival);
      return false;
    });
    this.outbox.push([...this.newest]);
  }

  private pair(arrival: Early): void {
    this.newest[arrival.input] = arrival.value;
    this.outbox.push([...this.newest]);
    if (arrival.isHeld) this.intake.letGo(arrival);
    if (this.played === this.early.length) {
      this.early = [];
      this.played = 0;
    }
  }

  /**
   * A held arrival eventually holds back all roots it descends from. An input that descends from one of these roots too (a
   * filter or an aggregate over the same source) would then wait for ever. Such arrivals are therefore not held in flight,
   * and beyond one window the older ones (never the first) are dropped.
   */
  private starvesMissing(input: number): boolean {
    const own = this.scope.inputs[input]?.descent ?? new Set();
    return this.scope.inputs.some(
      ({ descent }, other) =>
        other !== input && this.newest[other] === NOTHING_YET && [...own].some((root) => descent.has(root)),
    );
  }

  private makeWay(input: number): void {
    const ofInput = this.early.filter((arrival) => arrival.input === input);
    const [, oldest] = ofInput;
    if (oldest === undefined || ofInput.length <= (this.scope.inputs[input]?.root.window ?? 0)) return;
    this.early.splice(this.early.indexOf(oldest), 1);
    this.scope.skip('superseded before every input had a value');
  }

  /** Whether an input ended without a record, so that no arrival can ever be paired. */
  private checkHope(): void {
    if (this.isHopeless || this.missing === 0) return;
    const never = this.names.findIndex((_, index) => this.newest[index] === NOTHING_YET && !this.openInputs.has(index));
    if (never === -1 || this.intake.size > 0) return;
    this.isHopeless = true;
    for (const arrival of this.early) {
      this.scope.skip(`'${this.names[never] ?? ''}' gave no value to pair with`);
      if (arrival.isHeld) this.intake.letGo(arrival);
    }
    this.early = [];
    for (const edge of this.scope.inputs) edge.stop();
  }
}
