/**
 * Delivers the outputs of a task to everything that depends on it.
 *
 * Guarantees: all observers see each batch, in one order, and the completion after the last batch. The first observer
 * of a batch may settle lineages and wake a root. The task may then emit again, or complete, before the second observer
 * has seen the batch. Such emissions wait for the second observer. (A Subject would deliver them at once: the second
 * observer would see the completion first and lose the batch.) An observer that subscribes after the end receives the
 * completion or the error.
 */
import { Observable, type Observer, type Subscriber, type TeardownLogic } from 'rxjs';
import type { Batch } from '../model/record.js';

type Receiver = Observer<Batch<unknown>>;

/** How an outlet has ended. */
type Ending = 'completed' | { readonly error: unknown };

const NONE: readonly Receiver[] = [];

export class Outlet extends Observable<Batch<unknown>> implements Receiver {
  /** A list that is being delivered to is replaced, not changed. */
  private receivers: Receiver[] | undefined;
  /** Batches emitted during a delivery. Bounded, because their records are in flight. */
  private later: Batch<unknown>[] | undefined;
  private isDelivering = false;
  /** Whether the outlet completes after the delivery in progress. */
  private isOver = false;
  private ending: Ending | undefined;

  /** RxJS calls this method in place of a function given to the constructor, as in its own Subject. */
  protected _subscribe(subscriber: Subscriber<Batch<unknown>>): TeardownLogic {
    this.attach(subscriber);
    return () => {
      this.detach(subscriber);
    };
  }

  /** Whether anything receives the outputs. */
  get observed(): boolean {
    return this.receivers !== undefined && this.receivers.length > 0;
  }

  /** Adds a receiver without a subscription. The receiver must not throw, and must ignore calls after `detach`. */
  attach(receiver: Receiver): void {
    if (this.ending === 'completed') receiver.complete();
    else if (this.ending !== undefined) receiver.error(this.ending.error);
    else if (this.receivers === undefined) this.receivers = [receiver];
    else if (this.isDelivering) this.receivers = [...this.receivers, receiver];
    else this.receivers.push(receiver);
  }

  detach(receiver: Receiver): void {
    const at = this.receivers?.indexOf(receiver) ?? -1;
    if (at === -1 || this.receivers === undefined) return;
    if (this.isDelivering) this.receivers = this.receivers.filter((one) => one !== receiver);
    else this.receivers.splice(at, 1);
  }

  next(batch: Batch<unknown>): void {
    if (this.ending !== undefined) return;
    if (this.isDelivering) {
      (this.later ??= []).push(batch);
      return;
    }
    this.isDelivering = true;
    this.deliver(batch);
    for (let next = this.later?.shift(); next !== undefined; next = this.later?.shift()) this.deliver(next);
    this.isDelivering = false;
    if (this.isOver) this.end('completed');
  }

  error(error: unknown): void {
    this.end({ error });
  }

  complete(): void {
    this.isOver = true;
    if (!this.isDelivering) this.end('completed');
  }

  private deliver(batch: Batch<unknown>): void {
    const receivers = this.receivers ?? NONE;
    for (const receiver of receivers) receiver.next(batch);
  }

  private end(ending: Ending): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    const receivers = this.receivers ?? NONE;
    this.receivers = undefined;
    for (const receiver of receivers) {
      if (ending === 'completed') receiver.complete();
      else receiver.error(ending.error);
    }
  }
}
