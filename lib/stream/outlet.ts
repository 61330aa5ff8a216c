/**
 * Where a task's outputs are handed to everything that depends on it.
 *
 * Promise: all observers see every batch, in one order, and completion after the last. What the first observer does with
 * a batch may settle lineages, wake a root and make this same task emit again or complete, all before the second
 * observer has seen the batch; such emissions wait their turn. (A plain Subject would hand them on at once, and the
 * second observer would see the completion first and lose the batch.)
 */
import { Subject, type Observer } from 'rxjs';
import type { Batch } from '../model/record.js';

export class Outlet extends Subject<Batch<unknown>> implements Observer<Batch<unknown>> {
  /** What was emitted during a delivery; bounded, because everything in it is in flight. */
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
