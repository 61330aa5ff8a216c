/**
 * Delivers the outputs of a task to everything that depends on it.
 *
 * Guarantees: all observers see each batch, in one order, and the completion after the last batch. When the first
 * observer receives a batch, it may settle lineages and wake a root, so that this task emits again or completes before
 * the second observer has seen the batch. Such emissions wait. (A plain Subject would deliver them at once. The second
 * observer would then see the completion first and lose the batch.)
 */
import { Subject, type Observer } from 'rxjs';
import type { Batch } from '../model/record.js';

export class Outlet extends Subject<Batch<unknown>> implements Observer<Batch<unknown>> {
  /** Batches emitted during a delivery. Bounded, because their records are in flight. */
  private readonly later: Batch<unknown>[] = [];
  private isDelivering = false;
  private isOver = false;

  override next(batch: Batch<unknown>): void {
    if (this.isDelivering) {
      this.later.push(batch);
      return;
    }
    this.isDelivering = true;
    super.next(batch);
    for (let next = this.later.shift(); next !== undefined; next = this.later.shift()) super.next(next);
    this.isDelivering = false;
    if (this.isOver) super.complete();
  }

  override complete(): void {
    this.isOver = true;
    if (!this.isDelivering) super.complete();
  }
}
