/**
 * Pulling: every root reads its records through a `Reader`, whatever they come from.
 *
 * Contract of a Reader: at most one `read` is outstanding; `read(max)` gives 1 to `max` items, now or later, or `null`
 * at the end, in an array that it does not touch again; it never takes more than `max` from what it reads. `close` may be called at any time, also while a read
 * is outstanding, and releases everything; what the outstanding read gives after that is dropped.
 */
import type { Awaitable } from '../model/ports.js';

export interface Reader<T> {
  read(max: number): Awaitable<readonly T[] | null>;
  close(): Awaitable<void>;
  /** How much of what there is has been read, 0 to 1; undefined where nobody knows. */
  share?(): number | undefined;
}

/** What a pull source may be given as. A Node Readable is an AsyncIterable. */
export type Pullable<T> = Iterable<T> | AsyncIterable<T>;

export function readerOf<T>(source: Pullable<T>): Reader<T> {
  if (Array.isArray(source)) return readerOfArray(source as readonly T[]);
  return Symbol.asyncIterator in source ? readerOfAsync(source) : readerOfSync(source);
}

function readerOfArray<T>(items: readonly T[]): Reader<T> {
  let at = 0;
  return {
    read: (max) => {
      if (at >= items.length) return null;
      const chunk = items.slice(at, at + max);
      at += chunk.length;
      return chunk;
    },
    close: () => undefined,
    share: () => (items.length === 0 ? 1 : at / items.length),
  };
}

function readerOfSync<T>(items: Iterable<T>): Reader<T> {
  const iterator = items[Symbol.iterator]();
  let isOver = false;
  return {
    read: (max) => {
      const chunk = new Array<T>(max);
      let length = 0;
      while (!isOver && length < max) {
        const step = iterator.next();
        if (step.done === true) isOver = true;
        else chunk[length++] = step.value;
      }
      chunk.length = length;
      return chunk.length > 0 ? chunk : null;
    },
    close: () => {
      if (!isOver) iterator.return?.();
      isOver = true;
    },
  };
}

/** One item a read: an async iterator says only by waiting whether it has another. */
function readerOfAsync<T>(items: AsyncIterable<T>): Reader<T> {
  const iterator = items[Symbol.asyncIterator]();
  let isOver = false;
  return {
    read: async () => {
      const step = await iterator.next();
      if (step.done !== true) return [step.value];
      isOver = true;
      return null;
    },
    close: () => {
      if (isOver) return;
      isOver = true;
      // A generator that waits inside of `next` only hears `return` once that resolves, which may be never.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}
