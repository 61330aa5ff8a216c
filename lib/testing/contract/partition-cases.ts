/** The cases for a source with several partitions. */
import { systemClock } from '../../model/clock.js';
import type { PartitionPast } from '../../connect/source.js';
import type { Lineage } from '../../model/record.js';
import { assertSame, assertTrue, throughJson } from './asserts.js';
import { OpenPartitions, type NumberedRecord } from './open-partitions.js';
import type { ContractCase, PartitionedSubject } from './subjects.js';

/** The time in which a partition must return its records while another one waits. */
const OTHERS_WITHIN_MS = 5000;

export function partitionedCases<T>(subject: PartitionedSubject<T>): ContractCase[] {
  const { records } = subject;
  const half = Math.ceil(records.length / 2);
  /** The partitions have different records, so that the records of a wrong partition are noticed. */
  const parts = [records.slice(0, half), records.slice(half)];
  const open = async (some: readonly (readonly T[])[], past?: readonly PartitionPast[]): Promise<OpenPartitions<T>> =>
    OpenPartitions.open((await subject.place(some)).make(), past);
  return [
    {
      name: 'a source with partitions opens each of them once, also one without records',
      run: async () => {
        const source = await open([[], ...parts]);
        assertSame('the partitions', source.numbers, [0, 1, 2]);
        assertSame('the records of partition 0', valuesOf(await source.rest(0, 10)), []);
        for (const [i, part] of parts.entries()) {
          assertSame(`the records of partition ${i + 1}`, valuesOf(await source.rest(i + 1, 10)), part);
        }
        await source.close();
      },
    },
    ...[1, 2, records.length * 2].map((max) => ({
      name: `a source with partitions returns each record of each partition once and in order, in turns, at most ${max} per read`,
      run: async () => {
        const source = await open(parts);
        const found: NumberedRecord[][] = [[], []];
        for (let isOver = false; !isOver;) {
          isOver = true;
          for (const partition of [0, 1]) {
            const read = await source.read(partition, max);
            if (read === null) continue;
            isOver = false;
            found[partition]?.push(...read);
          }
        }
        assertSame('the records', found.map(valuesOf), parts);
        await source.close();
      },
    })),
    {
      name: 'a source with partitions returns the records of one while another is not read, and while another is read',
      run: async () => {
        for (const isRead of [false, true]) {
          const source = await open(parts);
          // The result of the outstanding read is ignored, also an error.
          const outstanding = isRead ? source.read(0, 1).catch(() => null) : undefined;
          const rest = await within(OTHERS_WITHIN_MS, source.rest(1, 1), 'partition 1 waits for partition 0');
          assertSame('the records of partition 1', valuesOf(rest), parts[1]);
          await source.close('cancelled');
          await outstanding;
        }
      },
    },
    {
      name: 'a source with partitions reads each again from its own position, with the same numbers',
      run: async () => {
        const place = await subject.place(parts);
        const first = await OpenPartitions.open(place.make());
        if (first.source.isReplayable === false) return first.close();
        const all = [await first.rest(0, 1), await first.rest(1, 1)] as const;
        const positions = [first.positionsOf(0), first.positionsOf(1)] as const;
        await first.close();
        // Each partition is read again from each of its records and from its end, independent of the other partition.
        for (const [one, other] of pairsUpTo(all[0].length, all[1].length)) {
          const needs = [one, other].map((place, partition) => needOf(all[partition] ?? [], place));
          const past = needs.map((from, partition) => ({
            partition,
            position: throughJson(positions[partition]?.findLast(({ lineage }) => lineage <= from)),
            from,
          }));
          const again = await OpenPartitions.open(place.make(), past);
          for (const [partition, from] of needs.entries()) {
            const found = await again.rest(partition, 2);
            assertTrue(
              again.fromOf(partition) <= from,
              `\`from\` of partition ${partition} is ${again.fromOf(partition)}, behind what is needed, ${from}`,
            );
            assertSame(
              `the records of partition ${partition} from ${from} on`,
              found.filter(({ number }) => number >= from),
              all[partition]?.filter(({ number }) => number >= from),
            );
          }
          await again.close();
        }
      },
    },
    {
      name: 'a source with partitions begins a partition that appears at its start',
      run: async () => {
        const place = await subject.place(parts);
        const first = await OpenPartitions.open(place.make());
        const all = [await first.rest(0, 10), await first.rest(1, 10)] as const;
        await first.close();
        if (first.source.isReplayable === false) return;
        const ended = (partition: 0 | 1): PartitionPast => ({
          partition,
          position: undefined,
          from: needOf(all[partition], all[partition].length),
        });
        const again = await OpenPartitions.open(place.make(), [ended(0)]);
        assertSame('the records of partition 1, of which nothing is known', await again.rest(1, 2), all[1]);
        await again.close();
        if (place.grow === undefined) return;
        await place.grow(records);
        const grown = await OpenPartitions.open(place.make(), [ended(0), ended(1)]);
        assertSame('the partitions', grown.numbers, [0, 1, 2]);
        assertSame('the records of partition 2', valuesOf(await grown.rest(2, 2)), records);
        await grown.close();
      },
    },
    {
      name: 'a source with partitions receives the settled records of each, also of some, twice, and above a record that has not',
      run: async () => {
        const source = await open(parts);
        const read = [await source.read(0, 2), await source.read(1, 2)].map((some) => some ?? []);
        const progress = read.map((some, partition) => {
          const [first, second] = some;
          const watermark = first?.number ?? 0;
          const done = second === undefined ? [] : [second.number, second.number + 1];
          return { partition, watermark, done };
        });
        for (const some of [progress, progress.slice(1), progress.slice(0, 1), progress]) {
          await source.source.settled?.(some);
        }
        await source.close();
      },
    },
  ];
}

/** The number of the first record that is still needed if the first `count` records have settled. */
function needOf(records: readonly NumberedRecord[], count: number): Lineage {
  return records[count]?.number ?? (records.at(-1)?.number ?? -1) + 1;
}

function* pairsUpTo(left: number, right: number): Generator<readonly [number, number]> {
  for (let one = 0; one <= left; one++) for (let other = 0; other <= right; other++) yield [one, other];
}

function valuesOf(records: readonly NumberedRecord[]): unknown[] {
  return records.map(({ record }) => record);
}

/** The result of the work; rejects with the message if it takes longer. */
async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.schedule(ms, () => {
      reject(new Error(`The contract of connectors is not kept: ${message}`));
    });
  });
  return Promise.race([work, late]).finally(() => {
    cancel();
  });
}
