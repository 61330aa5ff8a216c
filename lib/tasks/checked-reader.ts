import { Rejected, type Skip } from '../model/record.js';
import { isPromiseLike } from '../stream/pump-root.js';
import type { Reader } from '../stream/reader.js';

/** Hands on what the reader gives, once `check` has seen it; what it throws for one item rejects that item alone. */
export function checkedReader<Out>(
  reader: Reader<Out | Skip | Rejected>,
  check: (item: Out | Skip) => Out | Skip,
): Reader<Out | Skip | Rejected> {
  const checkOne = (item: Out | Skip | Rejected): Out | Skip | Rejected => {
    if (item instanceof Rejected) return item;
    try {
      return check(item);
    } catch (error) {
      return new Rejected(item, error);
    }
  };
  return {
    read: (max) => {
      const items = reader.read(max);
      if (isPromiseLike(items)) return items.then((arrived) => arrived?.map(checkOne) ?? null);
      return items?.map(checkOne) ?? null;
    },
    share: () => reader.share?.(),
    close: () => reader.close(),
  };
}
