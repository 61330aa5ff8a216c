/** Lists of events as the partitions of a source that takes its time, so that their order differs from run to run. */
import type { Clock, SourceTask } from 'millrace';
import { connectorSource, type Source } from 'millrace/connect';

/** @param delayOf how long a read of so many records takes, in milliseconds. */
export function timedLists<Item>(
  lists: readonly (readonly Item[])[],
  clock: Clock,
  delayOf: () => number,
): SourceTask<Item> {
  const source: Source<Item> = {
    isPartitioned: true,
    open: (_context, past) =>
      lists.map((items, partition) => {
        const from = past?.partitions.find((one) => one.partition === partition)?.position?.lineage ?? 0;
        let at = from;
        return {
          partition,
          from,
          read: async (max: number) => {
            await new Promise<void>((resolve) => {
              clock.schedule(delayOf(), resolve);
            });
            const records = items.slice(at, at + Math.min(max, 3));
            at += records.length;
            return records.length === 0 ? null : { records, position: { lineage: at } };
          },
        };
      }),
  };
  return connectorSource(source);
}
