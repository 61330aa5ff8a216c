/**
 * The open streams of an executor, read in the thread of the run while worker threads feed them.
 *
 * Guarantees: a batch is acknowledged when it is read, so a thread is never ahead by more than its credits. Items
 * before an error are delivered before it. A stream whose thread died fails instead of waiting for ever.
 */
import type { ItemReader } from '../execution/executor.js';
import { Waiter } from '../model/awaitable.js';
import { unpackError, type WireError } from './error-wire.js';
import type { Thread } from './thread.js';

export class Streams {
  private readonly readers = new Map<number, StreamReader<never>>();

  /** Opens a reader; `begin` requests the items from the thread. */
  open<T>(id: number, thread: Thread, begin: () => void): StreamReader<T> {
    const reader = new StreamReader<T>(id, thread, () => {
      this.readers.delete(id);
    });
    this.readers.set(id, reader as StreamReader<never>);
    begin();
    return reader;
  }

  accept(id: number, items: readonly unknown[]): void {
    this.readers.get(id)?.accept(items as readonly never[]);
  }

  end(id: number, error: WireError | undefined): void {
    this.readers.get(id)?.end(error);
  }

  /** Fails the streams of one thread, or all streams. */
  fail(error: unknown, thread?: Thread): void {
    for (const reader of [...this.readers.values()]) {
      if (thread === undefined || reader.thread === thread) reader.fail(error);
    }
  }

  /** The number of streams that a thread feeds. */
  countOf(thread: Thread | undefined): number {
    let count = 0;
    for (const reader of this.readers.values()) if (reader.thread === thread) count++;
    return count;
  }
}

class StreamReader<T> implements ItemReader<T> {
  readonly thread: Thread;
  private readonly id: number;
  private readonly onOver: () => void;
  private readonly batches: (readonly T[])[] = [];
  private readonly waiter = new Waiter();
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;

  constructor(id: number, thread: Thread, onOver: () => void) {
    this.id = id;
    this.thread = thread;
    this.onOver = onOver;
  }

  async read(): Promise<readonly T[] | null> {
    while (this.batches.length === 0 && !this.hasEnded()) await this.waiter.wait();
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
    this.waiter.wake();
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
    this.waiter.wake();
  }

  /** A method, not the field, so that TypeScript does not narrow it across awaits. */
  private hasEnded(): boolean {
    return this.isOver;
  }
}
