/**
 * Reads the results of all partitions as one Reader, in the order in which their keys first appeared.
 *
 * Guarantees: at most one batch per partition is held, independent of the number of results.
 */
import type { Collected, ItemReader } from '../execution/executor.js';
import { Rejected, skip } from '../model/record.js';
import type { Reader } from './reader.js';

interface Head {
  readonly reader: ItemReader<Collected>;
  items: readonly Collected[];
  at: number;
  isOver: boolean;
}

export function mergeCollected(readers: readonly ItemReader<Collected>[]): Reader<unknown> {
  const heads: Head[] = readers.map((reader) => ({ reader, items: [], at: 0, isOver: false }));
  return {
    read: async (max) => {
      const merged: unknown[] = [];
      while (merged.length < max) {
        const empty = heads.filter((head) => !head.isOver && head.at === head.items.length);
        // Results that are ready are returned without waiting for more.
        if (empty.length > 0 && merged.length > 0) break;
        await Promise.all(empty.map(refill));
        const first = earliest(heads);
        if (first === undefined) break;
        merged.push(resultOf(first.items[first.at++] as Collected));
      }
      return merged.length > 0 ? merged : null;
    },
    close: () => {
      for (const { reader } of heads) reader.close();
    },
  };
}

async function refill(head: Head): Promise<void> {
  const items = await head.reader.read();
  head.items = items ?? [];
  head.at = 0;
  head.isOver = items === null;
}

function earliest(heads: readonly Head[]): Head | undefined {
  let best: Head | undefined;
  for (const head of heads) {
    const item = head.items[head.at];
    if (item === undefined) continue;
    if (best === undefined || item.from < (best.items[best.at] as Collected).from) best = head;
  }
  return best;
}

function resultOf({ output, skip: reason, failure }: Collected): unknown {
  if (reason !== undefined) return skip(reason);
  if (failure !== undefined) return new Rejected({ key: failure.key }, failure.error);
  return output;
}
