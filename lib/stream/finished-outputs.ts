/**
 * The outputs of an operator whose records finish in any order, from the end of a record until its output leaves.
 *
 * Guarantees: outputs that are ready at the same time leave as one batch. If they are ordered, an output waits until all
 * records that arrived earlier have finished. The account counts a batch before it is emitted.
 */
import type { Subscriber } from 'rxjs';
import { BatchBuilder, isGone, type Batch, type Gone, type Lineage } from '../model/record.js';
import { ArrivalOrder } from './arrival-order.js';
import type { TaskScope } from './task-scope.js';

export class FinishedOutputs<Out> {
  private readonly scope: Pick<TaskScope, 'account' | 'clock'>;
  private readonly subscriber: Subscriber<Batch<Out>>;
  private readonly builder = new BatchBuilder<Out>();
  private readonly order: ArrivalOrder<Out> | undefined;
  private count = 0;

  /** @param isOrdered whether outputs leave in the order in which their records arrived. */
  constructor(scope: TaskScope, subscriber: Subscriber<Batch<Out>>, isOrdered: boolean) {
    this.scope = scope;
    this.subscriber = subscriber;
    if (isOrdered) this.order = new ArrivalOrder(scope.root.mostInFlight);
  }

  /** The number of outputs that have not left, without `GONE`. */
  get waiting(): number {
    return this.count;
  }

  /** Whether `emit` has something to emit. */
  get isReady(): boolean {
    return this.builder.length > 0;
  }

  /** Call once for each record, in the order of arrival, before it finishes. */
  expect(lineages: readonly Lineage[]): void {
    if (this.order !== undefined) for (const lineage of lineages) this.order.expect(lineage);
  }

  add(lineage: Lineage, output: Out | Gone): void {
    if (!isGone(output)) this.count++;
    if (this.order === undefined) this.builder.push(lineage, output);
    else this.order.release(lineage, output, this.builder);
  }

  /** Emits all outputs that may leave. Call only while `isReady`. */
  emit(): void {
    const { account, clock } = this.scope;
    const batch = this.builder.build();
    const left = batch.length - batch.gone;
    this.count -= left;
    account.out += left;
    account.touch(clock.monotonicMs());
    this.subscriber.next(batch);
  }
}
