/**
 * A CSV file read in partitions gives what it gives when read as one: the same records with the same numbers, the same
 * letters with the same lines, the same aggregate in the same order. Whatever the text, and wherever it is divided.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  aggregateTask,
  defineWorkflow,
  skip,
  syncTask,
  type Checkpoint,
  type CheckpointStore,
  type RunOptions,
} from '#lib/index.js';
import { csvSink, csvSource, type CsvSourceOptions } from '#lib/connectors/csv/index.js';
import { isLong } from '../../support/long.js';
import { runToEnd, task, type Ended } from '../../support/run-to-end.js';
import { pairTexts, PairRow, textsOfColumn, type Pair } from './modules/pairs.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-partitions-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: string | Buffer, name = 'f.csv'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

type Partitions = CsvSourceOptions<Pair>['partitions'];

function pairsOf(path: string, partitions: Partitions): CsvSourceOptions<Pair> {
  return { path, columns: ['a', 'b'], schema: PairRow, missing: 'skip', ...(partitions && { partitions }) };
}

/** What a run made of its records: everything that must not depend on how the file was divided. */
function essence({ summary, outputs, events }: Ended): unknown {
  const letters = events.flatMap((event) =>
    event.type === 'dead-letter' ? [{ ...event.letter, runId: undefined, firstAt: undefined, lastAt: undefined }] : [],
  );
  // The state of a key without a result is known where it was folded, which may be in a thread.
  for (const { record } of letters)
    if (typeof record === 'object' && record !== null) Reflect.deleteProperty(record, 'state');
  // Threads report what they give up as they come to it.
  letters.sort((x, y) => x.task.localeCompare(y.task) || x.lineage.number - y.lineage.number);
  const counts = Object.entries(summary.tasks).map(
    ([name, { in: accepted, out, skipped, deadLettered, skipReasons }]) => ({
      name,
      accepted,
      out,
      skipped,
      deadLettered,
      reasons: new Map(Object.entries(skipReasons)),
    }),
  );
  return { outputs, letters, counts };
}

/**
 * Once as records that cross; once folded where they are read, in ranges of the file; once by the shares of a column.
 */
async function read(path: string, partitions: Partitions, options: RunOptions): Promise<unknown> {
  const run = (build: Parameters<typeof runToEnd>[0]): Promise<unknown> =>
    runToEnd(build, options).then(essence, (error: unknown) => String(error));
  const records = await run([
    task('Read', [], csvSource(pairsOf(path, partitions))),
    task(
      'Keep',
      ['Read'],
      syncTask((pair: Pair) => (pair.b === 'x' ? skip('x') : pair)),
    ),
  ]);
  // `output$` of the source would bring the records here, so only what comes after is observed.
  const foldedWith = async (aggregate: typeof pairTexts, by?: { partitionBy: string }): Promise<unknown> => {
    const flow = defineWorkflow({
      name: 'Fold',
      build: (it) =>
        it
          .task('Read', csvSource({ ...pairsOf(path, partitions), ...by }))
          .task('Fold', ['Read'], aggregateTask(aggregate)),
    });
    const started = flow.run(undefined, options);
    const events: Ended['events'][number][] = [];
    const results: unknown[] = [];
    started.events$.subscribe((event) => events.push(event));
    started.output$('Fold').subscribe({ next: (result) => results.push(result), error: () => undefined });
    return started.finished.then(
      (summary) => essence({ summary, outputs: { Fold: results }, events }),
      (error: unknown) => String(error),
    );
  };
  const inRanges = await foldedWith(pairTexts);
  return { records, inRanges, inShares: await foldedWith(textsOfColumn, { partitionBy: 'a' }) };
}

const alone: RunOptions = { threads: 0 };

describe('a CSV file in partitions', () => {
  const field = fc.constantFrom(
    'a',
    'b',
    'xyz',
    'q',
    'x',
    '13',
    'no',
    '',
    ' ',
    'ü',
    '"q"',
    '"a,b"',
    '"""q"""',
    '"two\nlines"',
    '"\r\n"',
    'st"ray',
    '"a" b',
    '😀',
  );
  const ending = fc.constantFrom('\n', '\n', '\r\n');
  const row = fc
    .tuple(field, field, fc.constantFrom(2, 2, 2, 2, 2, 2, 0, 1, 3), ending)
    .map(([a, b, fields, end]) => `${[a, b, a].slice(0, fields).join(',')}${end}`);
  const text = fc
    .tuple(
      fc.constantFrom('', '\uFEFF', '\n\n'),
      fc.array(row, { maxLength: 60 }),
      fc.constantFrom('', 'last,row', '"last",row', '"open,'),
    )
    .map(([start, rows, end]) => `${start}a,b\n${rows.join('')}${end}`);

  it('gives what it gives as one, whatever the text and the number of partitions', async () => {
    let file = 0;
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 2 }),
        async (content, partitions, threads) => {
          const path = await fileOf(content, `random-${file++}.csv`);
          expect(await read(path, partitions, { threads })).toEqual(await read(path, undefined, alone));
        },
      ),
      { numRuns: isLong ? 60 : 5 },
    );
  }, 600_000);

  it.each([
    ['a header and nothing else', 'a,b\n'],
    ['a header without a line end', 'a,b'],
    ['one row', 'a,b\n1,2\n'],
    ['no line end at the end', 'a,b\n1,2\n3,4'],
    ['a byte order mark', '\uFEFFa,b\n1,2\n3,4\n'],
    ['quoted line ends that look like rows', `a,b\n${'"1,2\n3,4\n",x\n'.repeat(20)}`],
    ['blank lines between rows', `a,b\n${'1,2\n\n \t\n'.repeat(20)}`],
    ['a quote that is never closed', `a,b\n${'1,2\n'.repeat(20)}"3,4\n${'5,6\n'.repeat(20)}`],
    ['a header that lacks a column', 'a,c\n1,2\n'],
    ['nothing', ''],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from(`a,b\n${'1,2\n'.repeat(20)}`), Buffer.from([0xff]), Buffer.from(',2\n3,4\n')]),
    ],
  ])('gives what it gives as one for %s', async (_, content) => {
    const path = await fileOf(content);
    const expected = await read(path, undefined, alone);
    for (const [partitions, threads] of [
      ['auto', 2],
      [7, 1],
      [3, 0],
      ...(isLong
        ? ([
            [2, 2],
            [100, 2],
          ] as const)
        : []),
    ] as const) {
      expect(await read(path, partitions, { threads })).toEqual(expected);
    }
  });

  it('reads Latin-1, too', async () => {
    const path = await fileOf(Buffer.from(`a,b\n${'é,ü\n'.repeat(30)}`, 'latin1'));
    const of = async (partitions: number, threads: number): Promise<unknown> =>
      essence(
        await runToEnd(
          [
            task('Read', [], csvSource({ path, encoding: 'latin1', partitions })),
            task(
              'Keep',
              ['Read'],
              syncTask((pair: object) => pair),
            ),
          ],
          { threads },
        ),
      );
    expect(await of(3, 2)).toEqual(await of(1, 0));
  });

  it.each([
    ['packed', gzipSync('a,b\n1,2\n'), 'packed.csv.GZ', 'utf8'],
    ['UTF-16', Buffer.from('a,b\n1,2\n', 'utf16le'), 'wide.csv', 'utf16le'],
  ] as const)("reads a %s file as one for 'auto'", async (_, content, name, encoding) => {
    const path = await fileOf(content, name);
    const { outputs } = await runToEnd(
      [
        task('Read', [], csvSource({ path, encoding, partitions: 'auto' })),
        task(
          'Keep',
          ['Read'],
          syncTask((pair: object) => pair),
        ),
      ],
      { threads: 2 },
    );
    expect(outputs['Keep']).toEqual([{ a: '1', b: '2' }]);
  });

  it('fails where it is missing, with the same words', async () => {
    const path = join(folder, 'missing.csv');
    expect(await read(path, 3, { threads: 2 })).toEqual(await read(path, undefined, alone));
  });

  it.each([
    ['UTF-16', { path: 'f.csv', encoding: 'utf16le', partitions: 2 }, 'UTF-16 cannot be read from the middle'],
    ['a packed file', { path: 'f.csv.gz', partitions: 2 }, '.gz'],
    ['a schema that threads cannot import', { path: 'f.csv', schema: { ...PairRow }, partitions: 2 }, 'threadSchema'],
    ['no partition', { path: 'f.csv', partitions: 0 }, 'partitions'],
    ['half a partition', { path: 'f.csv', partitions: 1.5 }, 'partitions'],
    ['a column that is none', { path: 'f.csv', columns: ['a', 'b'], partitions: 2, partitionBy: 'c' }, "column 'c'"],
    ['a column that is none, also read as one', { path: 'f.csv', columns: ['a'], partitionBy: 'c' }, "column 'c'"],
  ] as [string, CsvSourceOptions<Pair>, string][])('refuses %s, with the reason', (_, options, reason) => {
    const bare = options.schema === undefined ? options : { ...options, schema: { '~standard': PairRow['~standard'] } };
    expect(() => csvSource(bare)).toThrow(reason);
    expect(() => csvSource(bare)).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }));
  });

  it('refuses to divide by a column that the header lacks, and by one that is not the key', async () => {
    const failure = async (partitionBy: string, aggregate: typeof pairTexts): Promise<unknown> => {
      const { columns: _, ...source } = pairsOf(await fileOf('a,b\n1,2\n12,3\n'), 2);
      const flow = defineWorkflow({
        name: 'Fold',
        build: (it) =>
          it.task('Read', csvSource({ ...source, partitionBy })).task('Fold', ['Read'], aggregateTask(aggregate)),
      });
      return flow.run(undefined, { threads: 2 }).finished.then(() => 'completed', String);
    };
    expect(await failure('c', textsOfColumn)).toContain("the header lacks 'c'");
    expect(await failure('a', pairTexts)).toContain('got the key "1" (string) where the column has "12" (string)');
    expect(await failure('a', textsOfColumn)).toBe('completed');
  });

  it('hashes what stands in a column the same with quotes and without, in Latin-1, too', async () => {
    const path = await fileOf(Buffer.from(`a,b\n${'é,1\n"é",2\nü,3\n'.repeat(20)}`, 'latin1'));
    const of = async (threads: number): Promise<unknown> => {
      const source = csvSource({ ...pairsOf(path, threads || 1), encoding: 'latin1', partitionBy: 'a' });
      const flow = defineWorkflow({
        name: 'Fold',
        build: (it) => it.task('Read', source).task('Fold', ['Read'], aggregateTask(textsOfColumn)),
      });
      const run = flow.run(undefined, { threads });
      const results: unknown[] = [];
      run.output$('Fold').subscribe((result) => results.push(result));
      await run.finished;
      return results;
    };
    expect(await of(3)).toEqual(await of(0));
  });

  it('folds records with the value that a failure policy gives instead', async () => {
    const path = await fileOf(`a,b\n${'1,2\n3,no\n'.repeat(10)}`);
    const of = async (partitions: number, threads: number): Promise<unknown> => {
      const instead = { ...pairsOf(path, partitions), onFailure: { fallback: { a: 'z', b: 'instead' } } };
      const flow = defineWorkflow({
        name: 'Fold',
        build: (it) => it.task('Read', csvSource(instead)).task('Fold', ['Read'], aggregateTask(pairTexts)),
      });
      const run = flow.run(undefined, { threads });
      const results: unknown[] = [];
      run.output$('Fold').subscribe((result) => results.push(result));
      await run.finished;
      return results;
    };
    expect(await of(3, 2)).toEqual(await of(1, 0));
  });

  it('fails the run when a thread dies within a part', async () => {
    const path = await fileOf(`a,b\n${'1,2\n'.repeat(500)}1,die\n${'3,4\n'.repeat(500)}`);
    const tasks = [
      task('Read', [], csvSource(pairsOf(path, 3))),
      task(
        'Keep',
        ['Read'],
        syncTask((pair: Pair) => pair),
      ),
    ];
    await expect(runToEnd(tasks, { threads: 2 })).rejects.toMatchObject({ code: 'MILLRACE_THREAD' });
    const flow = defineWorkflow({
      name: 'Fold',
      build: (it) => it.task('Read', csvSource(pairsOf(path, 3))).task('Fold', ['Read'], aggregateTask(pairTexts)),
    });
    await expect(flow.run(undefined, { threads: 2 }).finished).rejects.toMatchObject({ code: 'MILLRACE_THREAD' });
  });
});

describe('a run over a CSV file in partitions that ends early', () => {
  // A bad row early in each part shows that the part is being read.
  const rows = Array.from({ length: 40_000 }, (_, n) => `${n % 26},${n % 5000 === 100 ? 'no' : n}\n`).join('');

  it.each([
    ['drain', 'ranges'],
    ['drain', 'shares'],
    ['cancel', 'ranges'],
    ['cancel', 'shares'],
  ] as const)('leaves no partial aggregate on %s, and its accounts balance, in %s', async (how, divided) => {
    const path = await fileOf(`a,b\n${rows}`, 'long.csv');
    const flow = divided === 'ranges' ? fold : foldShares;
    const run = flow(path, join(folder, `${how}.csv`), 4).run(undefined, { threads: 2 });
    const results: unknown[] = [];
    run.output$('Fold').subscribe({ next: (result) => results.push(result), error: () => undefined });
    run.events$.subscribe((event) => {
      if (event.type === 'dead-letter') run[how]();
    });
    const { outcome, tasks } = await run.finished;
    expect(outcome).toBe(how === 'drain' ? 'drained' : 'cancelled');
    expect(results).toEqual([]);
    const { in: accepted = 0, out, deadLettered = 0 } = tasks['Read'] ?? {};
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(40_000);
    expect(out).toBe(accepted - deadLettered);
  });

  it.each([
    ['records', copy],
    ['an aggregate', fold],
    ['an aggregate of shares', foldShares],
  ])('goes on from its checkpoint, and writes what an uninterrupted run writes of %s', async (name, flow) => {
    const path = await fileOf(`a,b\n${rows.repeat(2)}`, 'longer.csv');
    const out = (what: string): string => join(folder, `${name} ${what}.csv`);
    await flow(path, out('whole'), 1).run(undefined, alone).finished;
    let last: Checkpoint | undefined;
    const store = (incarnation: number): CheckpointStore => ({
      incarnation,
      read: () => Promise.resolve(last),
      write: (checkpoint) => {
        last = structuredClone(checkpoint);
        return Promise.resolve();
      },
    });
    const first = flow(path, out('resumed'), 4).run(undefined, {
      threads: 2,
      checkpoints: store(1),
      checkpointEvery: { everyMs: 1, everyRecords: 1000 },
      window: 1000,
    });
    first.events$.subscribe((event) => {
      if (event.type === 'checkpoint' && event.settled > 0) first.cancel();
    });
    expect((await first.finished).outcome).toBe('cancelled');
    expect(last?.roots['Read']?.watermark).toBeGreaterThan(0);
    const second = flow(path, out('resumed'), 4).run(undefined, {
      threads: 2,
      checkpoints: store(2),
      resumeFrom: last,
    });
    expect((await second.finished).outcome).toBe('completed');
    expect(await readFile(out('resumed'))).toEqual(await readFile(out('whole')));
  });
});

function copy(path: string, out: string, partitions: number) {
  return defineWorkflow({
    name: 'Copy',
    build: (it) =>
      it
        .task('Read', csvSource(pairsOf(path, partitions)))
        .task('Write', ['Read'], csvSink({ path: out, columns: ['a', 'b'], row: (pair: Pair) => pair })),
  });
}

function fold(path: string, out: string, partitions: number) {
  return folding({ source: pairsOf(path, partitions), out, aggregate: pairTexts });
}

function foldShares(path: string, out: string, partitions: number) {
  return folding({ source: { ...pairsOf(path, partitions), partitionBy: 'a' }, out, aggregate: textsOfColumn });
}

function folding({
  source,
  out,
  aggregate,
}: {
  source: CsvSourceOptions<Pair>;
  out: string;
  aggregate: typeof pairTexts;
}) {
  return defineWorkflow({
    name: 'Fold',
    build: (it) =>
      it
        .task('Read', csvSource(source))
        .task('Fold', ['Read'], aggregateTask(aggregate))
        .task(
          'Write',
          ['Fold'],
          csvSink({
            path: out,
            columns: ['key', 'text'],
            row: ([key, text]: readonly [string, string]) => ({ key, text }),
          }),
        ),
  });
}
