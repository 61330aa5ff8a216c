/** The open streams of an executor. Promise: a stream whose thread died fails instead of waiting for ever. */
import type { WireError } from './error-wire.js';
import { StreamReader } from './stream-reader.js';
import type { Thread } from './thread.js';

export class Streams {
  private readonly readers = new Map<number, StreamReader<never>>();

  /** Opens a reader; `begin` asks the thread for the items. */
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

  /** Fails the streams of one thread, or all. */
  fail(error: unknown, thread?: Thread): void {
    for (const reader of [...this.readers.values()]) {
      if (thread === undefined || reader.thread === thread) reader.fail(error);
    }
  }

  /** How many streams a thread feeds. */
  countOf(thread: Thread | undefined): number {
    let count = 0;
    for (const reader of this.readers.values()) if (reader.thread === thread) count++;
    return count;
  }
}
