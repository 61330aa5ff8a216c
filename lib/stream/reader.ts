/**
 * Pull access to records: each root reads its records through a `Reader`.
 *
 * Contract of a Reader: at most one `read` is outstanding. `read(max)` returns 1 to `max` items, now or later, or
 * `null` at the end, in an array that the Reader does not change again. It never reads more than `max` items from its
 * source. `close` may be called at any time, also during a read, and releases everything. The result of a read that was
 * outstanding is dropped.
 */
import type { Awaitable } from '../model/ports.js';

export interface Reader<T> {
  read(max: number): Awaitable<readonly T[] | null>;
  close(): Awaitable<void>;
  /** The share of the input that has been read, 0 to 1; undefined if unknown. */
  share?(): number | undefined;
}

/** The forms of a pull source. A Node Readable is an AsyncIterable. */
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
  let failure: { readonly error: unknown } | undefined;
  return {
    read: (max) => {
      const chunk = new Array<T>(max);
      let length = 0;
      try {
        while (!isOver && length < max) {
          const step = iterator.next();
          if (step.done === true) isOver = true;
          else chunk[length++] = step.value;
        }
      } catch (error) {
        // The items before the error leave first, and the next read throws it.
        isOver = true;
        failure = { error };
      }
      chunk.length = length;
      if (length > 0) return chunk;
      if (failure !== undefined) throw failure.error;
      return null;
    },
    close: () => {
      if (!isOver) iterator.return?.();
      isOver = true;
    },
  };
}

/** Reads one item at a time, because only a wait shows whether an async iterator has another item. */
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
      // A generator that waits in `next` handles `return` only after that wait, which may never end. So nothing waits
      // for it.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}
