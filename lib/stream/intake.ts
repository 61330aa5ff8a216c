/**
 * The input side of a boundary. Arrivals of all inputs wait in one queue, in order of arrival, and leave their root
 * only when the boundary lets go of them.
 *
 * Guarantees: the windows of the inputs bound the queue, because a waiting arrival is still in flight in its root.
 */
import type { Subscriber } from 'rxjs';
import { GONE, type Batch, type Lineage } from '../model/record.js';
import { Ring } from '../ledger/ring.js';
import type { TaskScope } from './task-scope.js';

export interface Arrival {
  /** The index of the input. */
  readonly input: number;
  readonly lineage: Lineage;
  readonly value: unknown;
}

export class Intake {
  private readonly scope: TaskScope;
  private readonly waiting: Ring<Arrival>;
  /** The number of waiting arrivals per input. */
  private readonly byInput: number[];

  /** @param subscriber drops the waiting arrivals when it ends. */
  constructor(scope: TaskScope, subscriber: Subscriber<never>) {
    this.scope = scope;
    this.waiting = new Ring(() => scope.inputs.reduce((sum, { root }) => sum + root.mostInFlight(), 0));
    this.byInput = scope.inputs.map(() => 0);
    scope.watchEdges((input) => this.byInput[input] ?? 0);
    scope.account.countsOutputsApart();
    scope.account.watch(() => ({ queued: this.waiting.size, running: 0, waiting: 0 }));
    subscriber.add(() => {
      this.waiting.clear();
    });
  }

  get size(): number {
    return this.waiting.size;
  }

  /**
   * Queues the records of a batch.
   * @param keepsGone queues `GONE` slots as well. Default: a `GONE` slot leaves its root at once.
   */
  accept(batch: Batch<unknown>, input: number, keepsGone = false): void {
    const edge = this.scope.inputs[input];
    const gone: Lineage[] = [];
    this.scope.account.in += batch.length - batch.gone;
    const before = this.waiting.size;
    for (let i = 0; i < batch.length; i++) {
      const value = batch.values[i];
      const lineage = batch.lineages[i] as Lineage;
      if (value === GONE && !keepsGone) gone.push(lineage);
      else this.waiting.push({ input, lineage, value });
    }
    this.byInput[input] = (this.byInput[input] ?? 0) + this.waiting.size - before;
    this.scope.account.touch(this.scope.clock.monotonicMs());
    if (gone.length > 0) edge?.root.leave(edge.exit, gone);
  }

  /** The oldest arrival, which stays in flight until `letGo`. Call only while `size` is above 0. */
  shift(): Arrival {
    const arrival = this.waiting.shift();
    this.byInput[arrival.input] = (this.byInput[arrival.input] ?? 0) - 1;
    return arrival;
  }

  /** Ends an arrival: its lineage leaves its root by this edge. */
  letGo(arrival: Arrival): void {
    const edge = this.scope.inputs[arrival.input];
    edge?.root.leaveOne(edge.exit, arrival.lineage);
  }

  /** Ends arrivals of one input. They leave their root in one call, so that it wakes once, for a large batch. */
  letGoAll(input: number, lineages: readonly Lineage[]): void {
    const edge = this.scope.inputs[input];
    if (lineages.length > 0) edge?.root.leave(edge.exit, lineages);
  }
}
