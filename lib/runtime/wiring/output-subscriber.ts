/**
 * Subscribes a run to the operator of a task, or of a chain of fused tasks.
 *
 * Guarantees: nothing is received after the end, and an error that the receiver throws fails the run. It is one object,
 * because RxJS makes seven of an observer with three functions, and a large graph has many tasks.
 */
import { Subscriber } from 'rxjs';
import type { Batch } from '../../model/record.js';
import type { WiredTask } from './wired-task.js';

/** What receives the outputs of all tasks. */
export interface OutputReceiver {
  /** The chain has emitted a batch. */
  emit(chain: readonly WiredTask[], batch: Batch<unknown>): void;
  /** The operator of the chain has failed. */
  fail(chain: readonly WiredTask[], error: unknown): void;
  /** The outputs are over. */
  end(chain: readonly WiredTask[]): void;
}

export class OutputSubscriber extends Subscriber<Batch<unknown>> {
  private readonly receiver: OutputReceiver;
  /** One task, or several that are fused. The outputs are those of the last one. */
  private readonly chain: readonly WiredTask[];
  private isEnded = false;

  constructor(receiver: OutputReceiver, chain: readonly WiredTask[]) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- RxJS makes more objects for any other observer
    super();
    this.receiver = receiver;
    this.chain = chain;
  }

  override next(batch: Batch<unknown>): void {
    if (this.isEnded) return;
    try {
      this.receiver.emit(this.chain, batch);
    } catch (error) {
      this.error(error);
    }
  }

  override error(error: unknown): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.receiver.fail(this.chain, error);
    this.unsubscribe();
  }

  override complete(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    try {
      this.receiver.end(this.chain);
    } catch (error) {
      this.receiver.fail(this.chain, error);
    }
    this.unsubscribe();
  }

  override unsubscribe(): void {
    if (this.closed) return;
    this.isEnded = true;
    super.unsubscribe();
  }
}
