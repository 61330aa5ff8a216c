/** The cases for a source. */
import type { SourcePast } from '../../connect/source.js';
import { assertDataset, assertSame, assertTrue } from './asserts.js';
import { listenedSignal } from './listened-signal.js';
import { OpenSource, pastOf } from './open-source.js';
import type { ContractCase, SourceSubject } from './subjects.js';

export function sourceCases<T>(subject: SourceSubject<T>): ContractCase[] {
  const { records, missing, recordsRead } = subject;
  const reading = async (some: readonly T[], past?: SourcePast): Promise<OpenSource<T>> =>
    OpenSource.open((await subject.place(some))(), past);
  return [
    {
      name: 'a source names its dataset',
      run: async () => {
        assertDataset((await subject.place(records))());
      },
    },
    ...[1, 2, 3, records.length * 2].map((max) => ({
      name: `a source returns every record once and in order, at most ${max} per read`,
      run: async () => {
        const open = await reading(records);
        assertSame('the records', await open.rest(max), records);
        assertSame('a read after the end', await open.partition.read(max), null);
        await open.close();
      },
    })),
    {
      name: 'a source of nothing is over at its first read',
      run: async () => {
        const open = await reading([]);
        assertSame('the first read', await open.partition.read(10), null);
        await open.close();
      },
    },
    {
      name: 'a source returns falsy records like all others',
      run: async () => {
        const falsy = records.filter((record) => !record);
        const some = [...falsy, ...records.slice(0, 1)];
        const open = await reading(some);
        assertSame('the records', await open.rest(10), some);
        await open.close();
      },
    },
    {
      name: 'a source that is read again returns the same records from each of its positions',
      run: async () => {
        const make = await subject.place(records);
        const first = await OpenSource.open(make());
        if (first.source.isReplayable === false) return first.close();
        const positions = [undefined, ...(await first.positions(2))];
        await first.close();
        for (const position of positions) {
          // A checkpoint is stored as JSON.
          const kept = position && (JSON.parse(JSON.stringify(position)) as typeof position);
          const again = await OpenSource.open(
            make(),
            pastOf([{ partition: 0, position: kept, from: kept?.lineage ?? 2 }]),
          );
          const { from = 0 } = again.partition;
          assertTrue(from <= (kept?.lineage ?? 2), `\`from\` of a resumed source is ${from}, behind what is needed`);
          assertSame(`the records from ${from}`, await again.rest(3), records.slice(from));
          await again.close();
        }
      },
    },
    {
      name: 'a source returns no more records than requested',
      run: async () => {
        const open = await reading(records);
        await open.partition.read(1);
        if (recordsRead !== undefined)
          assertTrue(recordsRead() <= 1, `asked for 1 record, it has read ${recordsRead()}`);
        await open.close();
      },
    },
    {
      name: 'a source receives the settled records, also twice',
      run: async () => {
        const open = await reading(records);
        await open.partition.read(2);
        for (const watermark of [0, 1, 1]) await open.source.settled?.([{ partition: 0, watermark, done: [] }]);
        await open.close();
      },
    },
    {
      name: 'a source that is closed at any moment can be opened again',
      run: async () => {
        const make = await subject.place(records);
        for (const reads of [0, 1]) {
          const open = await OpenSource.open(make());
          // The result of the outstanding read is ignored, also an error.
          const outstanding = reads === 0 ? undefined : Promise.resolve(open.partition.read(1)).catch(() => null);
          await open.close('cancelled');
          await outstanding;
        }
        const open = await OpenSource.open(make());
        assertTrue((await open.partition.read(1)) !== null, 'nothing is read after another source was closed');
        await open.close();
      },
    },
    {
      name: 'a source leaves no listener on the signal of its run',
      run: async () => {
        const { signal, listeners } = listenedSignal();
        const open = await OpenSource.open((await subject.place(records))(), undefined, signal);
        await open.rest(10);
        await open.close();
        assertSame('the listeners after the end', listeners(), 0);
      },
    },
    ...(missing === undefined
      ? []
      : [
          {
            name: 'a source that is not there rejects, and can be closed',
            run: async () => {
              const source = missing();
              const failed = await Promise.resolve()
                .then(async () => (await OpenSource.open(source)).partition.read(1))
                .then(
                  () => false,
                  () => true,
                );
              await source.close?.('failed');
              assertTrue(failed, 'a place that is not there was read');
            },
          },
        ]),
  ];
}
