/**
 * What a thread streams, read from the thread of the run. Promises: a batch is acknowledged when it was read, so the
 * thread is never more than its credits ahead; what came before an error is given before it.
 */
import type { ItemReader } from '../execution/executor.js';
import { unpackError, type WireError } from './error-wire.js';
import type { Thread } from './thread.js';

export class StreamReader<T> implements ItemReader<T> {
  readonly thread: Thread;
  private readonly id: number;
  private readonly onOver: () => void;
  private readonly batches: (readonly T[])[] = [];
  private waiter: (() => void) | undefined;
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(id: number, thread: Thread, onOver: () => void) {
    this.id = id;
    this.thread = thread;
    this.onOver = onOver;
  }

  async read(): Promise<readonly T[] | null> {
    while (this.batches.length === 0 && !this.hasEnded()) {
      await new Promise<void>((resolve) => {
        this.waiter = resolve;
      });
    }
    const batch = this.batches.shift();
    if (batch !== undefined) {
      if (!this.hasEnded()) this.thread.post({ type: 'more', stream: this.id });
      return batch;
    }
    if (this.failure !== undefined) throw this.failure.error;
    return null;
  }

  close(): void {
    this.batches.length = 0;
    if (this.hasEnded()) return;
    if (!this.thread.hasEnded) this.thread.post({ type: 'stop', stream: this.id });
    this.finish();
  }

  accept(items: readonly T[]): void {
    if (this.hasEnded()) return;
    this.batches.push(items);
    this.wake();
  }

  end(error: WireError | undefined): void {
    if (error !== undefined) this.failure ??= { error: unpackError(error) };
    this.finish();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.finish();
  }

  private finish(): void {
    this.isOver = true;
    this.onOver();
    this.wake();
  }

  /** Asked anew after every wait. */
  private hasEnded(): boolean {
    return this.isOver;
  }

  private wake(): void {
    const { waiter } = this;
    this.waiter = undefined;
    waiter?.();
  }
}
