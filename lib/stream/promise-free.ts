/** Refuses promises among records, such as those of an array that was made by `map` with an async function. */
import { isPromiseLike, refusePromise } from '../model/awaitable.js';
import type { Reader } from './reader.js';

/**
 * Throws MILLRACE_INVALID_OPTION if a promise is among the items. No rejection of such a promise stays without a handler.
 * @param source what returned the items, such as "the function of 'Words'".
 */
export function refusePromises(items: readonly unknown[], source: string): void {
  const first = items.find(isPromiseLike);
  if (first === undefined) return;
  for (const item of items) if (isPromiseLike(item)) item.then(undefined, () => undefined);
  refusePromise(first, `${source}, as a record,`);
}

/** A Reader of the same items that refuses promises among them. */
export function promiseFree<T>(reader: Reader<T>, source: string): Reader<T> {
  const checked = (items: readonly T[] | null): readonly T[] | null => {
    if (items !== null) refusePromises(items, source);
    return items;
  };
  return {
    read: (max) => {
      const items = reader.read(max);
      return isPromiseLike(items) ? items.then(checked) : checked(items);
    },
    share: () => reader.share?.(),
    close: () => reader.close(),
  };
}
