/**
 * Reads an iterable ahead of its reader, in batches that grow while the reader is busy.
 *
 * Guarantees: at most `LIMIT` items are ahead; items before an error are delivered before it; `close` ends the
 * iteration at its next item.
 */
import type { ItemReader } from './executor.js';
import { Waiter } from '../model/awaitable.js';

const LIMIT = 512;

export class ItemPump<T> implements ItemReader<T> {
  private items: T[] = [];
  private isOver = false;
  private failure: { readonly error: unknown } | undefined;
  /** Ends the wait of the reader for items. */
  private readonly reader: Waiter;
  /** Ends the wait of the pump for room. */
  private readonly room = new Waiter();

  /** @param defer runs an action in the next turn of the event loop, so that items of one turn leave together. */
  constructor(
    source: Iterable<T> | AsyncIterable<T> | Promise<Iterable<T> | AsyncIterable<T>>,
    defer: (action: () => void) => void,
  ) {
    this.reader = new Waiter(defer);
    void this.pump(source);
  }

  async read(): Promise<readonly T[] | null> {
    if (this.items.length === 0 && !this.hasEnded()) await this.reader.wait();
    const { items } = this;
    this.items = [];
    this.room.wake();
    if (items.length > 0) return items;
    if (this.failure !== undefined) throw this.failure.error;
    return null;
  }

  close(): void {
    this.isOver = true;
    this.items = [];
    this.room.wake();
    this.reader.wake();
  }

  /** A method, not the field, so that TypeScript does not narrow it across awaits. */
  private hasEnded(): boolean {
    return this.isOver || this.failure !== undefined;
  }

  private async pump(source: Iterable<T> | AsyncIterable<T> | Promise<Iterable<T> | AsyncIterable<T>>): Promise<void> {
    try {
      const items = await source;
      if (Symbol.asyncIterator in items) {
        for await (const item of items) if (this.push(item) && (await this.isStopped())) break;
      } else {
        for (const item of items) if (this.push(item) && (await this.isStopped())) break;
      }
      this.isOver = true;
    } catch (error) {
      this.failure = { error };
    }
    this.reader.wake();
  }

  /** Adds the item. Returns whether the pump has to wait or end. */
  private push(item: T): boolean {
    if (this.isOver) return true;
    this.items.push(item);
    this.reader.wake();
    return this.items.length >= LIMIT;
  }

  private async isStopped(): Promise<boolean> {
    while (this.items.length >= LIMIT && !this.hasEnded()) await this.room.wait();
    return this.hasEnded();
  }
}
