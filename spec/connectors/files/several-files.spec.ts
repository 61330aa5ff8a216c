/** Several files as one source: patterns and lists, in order and in parallel, resumed, and while files are added. */
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, beforeAll, describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sinkTask, type Checkpoint, type RunOptions } from 'millrace';
import { csvSource, files } from 'millrace/csv';
import { ndjsonSource } from 'millrace/ndjson';
import type { Source } from 'millrace/connect';
import { connectorContract, memoryCheckpoints, virtualClock } from 'millrace/testing';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { FilesOptions } from '#lib/connectors/files/file-selection.js';
import { partitionOfPath } from '#lib/connectors/files/selected-files.js';
import { matchPaths } from '#lib/connectors/files/glob.js';
import { CsvSource } from '#lib/connectors/csv/csv-source.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { openFilesIn } from '../../support/open-files.js';
import { NdjsonSource } from '#lib/connectors/ndjson/ndjson-source.js';

let root = '';
let folder = '';
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'several-files-'));
});
afterAll(() => rm(root, { recursive: true }));
beforeEach(async () => {
  folder = join(root, String(made++));
  await mkdir(folder);
});

async function put(name: string, ...values: readonly unknown[]): Promise<string> {
  const path = join(folder, name);
  const text = values.map((value) => `${JSON.stringify(value)}\n`).join('');
  await writeFile(path, name.endsWith('.gz') ? gzipSync(text) : text);
  return path;
}

interface Incarnation extends RunOptions {
  /** Called with each record, before it settles. */
  readonly work?: (record: unknown, id: string) => Promise<void>;
}

/** The records in the order in which they were read. */
async function read(
  paths: string | readonly string[],
  options?: FilesOptions,
  { work, ...run }: Incarnation = {},
): Promise<unknown[]> {
  const records: unknown[] = [];
  const flow = defineWorkflow({
    name: 'Read',
    build: (tasks) =>
      tasks
        .task('Read', ndjsonSource({ path: files(paths, options) }))
        .task(
          'Work',
          ['Read'],
          asyncTask(
            async (record: unknown, { id }) => {
              await work?.(record, `${id.partition}:${id.number}`);
              return record;
            },
            { ordered: true, concurrency: 512 },
          ),
        )
        .task(
          'Collect',
          ['Work'],
          sinkTask((record: unknown) => void records.push(record)),
        ),
  });
  await flow.run(undefined, run).finished;
  return records;
}

describe('a pattern', () => {
  const TREE: Readonly<Record<string, readonly string[]>> = {
    '.': ['a.csv', 'B.csv', '.hidden.csv', 'in', 'x[1].csv', 'ü.csv'],
    'in/': ['c.csv', 'c.ndjson', 'deep', '.git'],
    'in/deep/': ['d.csv', 'e.csv.gz'],
    'in/.git/': ['f.csv'],
    '/': ['in'],
    '/in/': ['r.csv'],
  };
  const matches = (pattern: string): readonly string[] => {
    const search = matchPaths(pattern);
    let step = search.next();
    while (step.done !== true) {
      const entries = TREE[step.value]?.map((name) => ({ name, isFolder: !/\.\w/.test(name) || name === '.git' }));
      step = search.next(entries);
    }
    return step.value;
  };

  it.each<[string, readonly string[]]>([
    ['*.csv', ['B.csv', 'a.csv', 'x[1].csv', 'ü.csv']],
    ['?.csv', ['B.csv', 'a.csv', 'ü.csv']],
    ['[a-c].csv', ['a.csv']],
    ['[!a].csv', ['B.csv', 'ü.csv']],
    ['.*.csv', ['.hidden.csv']],
    ['in/*', ['in/c.csv', 'in/c.ndjson', 'in/deep']],
    ['./in/*.csv', ['in/c.csv']],
    ['*/c.csv', ['in/c.csv']],
    ['**/*.csv', ['B.csv', 'a.csv', 'in/c.csv', 'in/deep/d.csv', 'x[1].csv', 'ü.csv']],
    ['in/**', ['in/c.csv', 'in/c.ndjson', 'in/deep', 'in/deep/d.csv', 'in/deep/e.csv.gz']],
    ['in/**/*.csv{,.gz}', ['in/c.csv', 'in/deep/d.csv', 'in/deep/e.csv.gz']],
    ['{in/c,a}.{csv,ndjson}', ['a.csv', 'in/c.csv', 'in/c.ndjson']],
    ['/in/*.csv', ['/in/r.csv']],
    ['none/*.csv', []],
    ['a{.csv', []],
    ['x[[]1].csv', ['x[1].csv']],
    [`${'*'.repeat(60)}.csv`, ['B.csv', 'a.csv', 'x[1].csv', 'ü.csv']],
  ])('%s matches by names, in the order of names', (pattern, paths) => {
    expect(matches(pattern)).toEqual(paths);
  });

  it('with an impossible range of characters is refused', () => {
    expect(() => matches('[z-a].csv')).toThrow('Expected a pattern of files such as *.csv, got "[z-a].csv" (string)');
  });
});

describe('files', () => {
  it('are read one after another in the order of their names, and those of a list in the order of the list', async () => {
    await put('b.ndjson', 'b1', 'b2');
    await put('a.ndjson', 'a1', 'a2', 'a3');
    await put('c.ndjson.gz', 'c1');
    await put('empty.ndjson');
    const all = join(folder, '*.ndjson*');
    expect(await read(all)).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']);
    expect(await read([join(folder, 'c*'), join(folder, 'a.ndjson'), all])).toEqual([
      'c1',
      'a1',
      'a2',
      'a3',
      'b1',
      'b2',
    ]);
  });

  it('are opened when the last records of the file before have been handed over, however long those wait', async () => {
    const paths = [await put('a.ndjson', 'a 0', 'a 1'), await put('b.ndjson', 'b 0')];
    const source = new NdjsonSource({ path: files(paths) });
    const [a, b] = await source.open(contextOfTest('Read'), undefined);
    const events: unknown[] = [];
    await a?.read(10);
    const read = Promise.resolve(b?.read(10)).then((rows) => events.push(rows?.records));
    // A file that is opened at once is read by then.
    for (let i = 0; i < 50; i++) await readFile(join(folder, 'b.ndjson'));
    events.push(await a?.read(10));
    await read;
    expect(events).toEqual([null, ['b 0']]);
    await Promise.all([a?.close?.(), b?.close?.()]);
    source.close();
  });

  it('are read at the same time if that is allowed, each in its order', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) await put(`${name}.ndjson`, ...Array.from({ length: 100 }, (_, n) => `${name}${n}`));
    // The first file waits for records of the others, which it would not get if it were read alone.
    const met = new Set<string>();
    let meet: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      meet = resolve;
    });
    const work = async (record: unknown): Promise<void> => {
      met.add(String(record).charAt(0));
      if (met.size === names.length) meet();
      await all;
    };
    const records = (await read(join(folder, '*'), { parallel: 3 }, { window: 512, work })) as string[];
    expect(records).toHaveLength(300);
    for (const name of names) {
      const own = records.filter((record) => record.startsWith(name));
      expect(own).toEqual(Array.from({ length: 100 }, (_, n) => `${name}${n}`));
    }
  });

  it('keep the identity of their records when files are added or removed', async () => {
    await put('b.ndjson', 'x', 'y');
    const ids = async (): Promise<Record<string, string>> => {
      const found: Record<string, string> = {};
      await read(join(folder, '*'), {}, { work: async (record, id) => void (found[String(record)] = id) });
      return found;
    };
    const before = await ids();
    await put('a.ndjson', 'first');
    expect(await ids()).toMatchObject(before);
  });

  it('are regular files: folders, pipes and unfinished results do not match', async () => {
    await put('a.ndjson', 1);
    await put('b.ndjson.part', 2);
    await put('b.ndjson.part.owner', 2);
    await mkdir(join(folder, 'c.ndjson'));
    await promisify(execFile)('mkfifo', [join(folder, 'd.ndjson')]);
    await symlink(join(folder, 'a.ndjson'), join(folder, 'e.ndjson'));
    await symlink(join(folder, 'none'), join(folder, 'f.ndjson'));
    expect(await read(join(folder, '*'))).toEqual([1, 1]);
  });

  it('may have a name that looks like a pattern', async () => {
    const path = await put('[1]{a}*.ndjson', 1);
    expect(await read(path)).toEqual([1]);
  });

  it('that are missing, a folder or a pipe in a list, or that nothing matches, fail the run', async () => {
    const pipe = join(folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    await expect(read(join(folder, '*.ndjson'))).rejects.toThrow(`No file matches ${join(folder, '*.ndjson')}`);
    await expect(read([join(folder, 'none')])).rejects.toThrow('there is no such file');
    await expect(read([folder])).rejects.toThrow('it is a folder');
    await expect(read([pipe])).rejects.toThrow('it is a pipe, a socket or a device. Read it with a separate source');
  });

  it('of CSV have a header each', async () => {
    await writeFile(join(folder, 'a.csv'), 'id,city\n1,Oslo\n');
    await writeFile(join(folder, 'b.csv'), 'city;id\nRome;2\n');
    await writeFile(join(folder, 'c.csv'), 'city,id\nRome,2\n"x\n');
    const rows: unknown[] = [];
    const letters: string[] = [];
    const flow = defineWorkflow({
      name: 'Rows',
      build: (tasks) =>
        tasks
          .task(
            'Read',
            csvSource({ path: files([join(folder, 'a.csv'), join(folder, 'c.csv')]), columns: ['id', 'city'] }),
          )
          .task(
            'Collect',
            ['Read'],
            sinkTask((row) => void rows.push(row)),
          ),
    });
    const run = flow.run();
    run.events$.subscribe((event) => event.type === 'dead-letter' && letters.push(event.letter.message));
    await run.finished;
    expect(rows).toEqual([
      { id: '1', city: 'Oslo' },
      { city: 'Rome', id: '2' },
    ]);
    expect(letters).toEqual([expect.stringContaining(`${join(folder, 'c.csv')}, line 3: `)]);
  });

  it.each([
    [() => files([]), 'Expected files to be given a path, a pattern or a list of them, got [] (array)'],
    [() => files('a', { parallel: 0 }), 'Expected `parallel` of files to be a whole number of at least 1'],
    [() => files('a', { idleMs: 5 }), 'Expected `everyMs` and `idleMs` of files only with `watch: true`'],
    [() => csvSource({ path: files('a'), partitions: 2 }), 'only for one file'],
  ])('are refused with options that do not fit', (make, message) => {
    expect(make).toThrow(message);
  });
});

describe('files of a run that is resumed', () => {
  /** Reads until `count` records are done, and is cancelled then. Returns the records that were done. */
  async function part(
    count: number,
    kept: ReturnType<typeof memoryCheckpoints>,
    options: FilesOptions = {},
  ): Promise<unknown[]> {
    const stop = new AbortController();
    const clock = virtualClock();
    const done: unknown[] = [];
    const work = async (record: unknown): Promise<void> => {
      if (done.length >= count) return new Promise(() => undefined);
      done.push(record);
      return Promise.resolve();
    };
    clock.schedule(5000, () => {
      stop.abort();
    });
    const { last } = kept;
    const run = { work, clock, window: 4, signal: stop.signal, checkpoints: kept.begin() };
    const reading = read(join(folder, '*.ndjson*'), options, { ...run, ...(last && { resumeFrom: last }) });
    await clock.runUntil(reading.catch(() => undefined));
    return done;
  }

  it.each<[string, FilesOptions]>([
    ['in order', {}],
    ['in parallel', { parallel: 2 }],
  ])('%s are read on, each from its place, until each record was read', async (_, options) => {
    const names = ['a.ndjson', 'b.ndjson.gz', 'c.ndjson', 'd.ndjson'];
    const all: string[] = [];
    for (const name of names) {
      const values = Array.from({ length: 9 }, (__, n) => `${name} ${n}`);
      all.push(...values);
      await put(name, ...values);
    }
    const kept = memoryCheckpoints();
    const done = new Set<unknown>();
    for (let incarnation = 0; incarnation < 12 && done.size < all.length; incarnation++) {
      for (const record of await part(5, kept, options)) done.add(record);
    }
    expect([...done].sort()).toEqual([...all].sort());
    const { partitions } = (kept.last as Checkpoint).roots['Read'] as { partitions: object };
    expect(Object.keys(partitions)).toHaveLength(4);
  });

  it('are refused if one that is not read to its end has changed or is gone', async () => {
    const path = await put('a.ndjson', 1, 2, 3, 4, 5, 6, 7, 8);
    const kept = memoryCheckpoints();
    await part(3, kept);
    const { last } = kept;
    const resumed = (): Promise<unknown> =>
      read(join(folder, '*'), {}, { resumeFrom: last, checkpoints: kept.begin() });
    await put('a.ndjson', 1, 2, 3, 4, 5, 6, 7, 8, 9);
    await expect(resumed()).rejects.toMatchObject({ code: 'MILLRACE_RESUME' });
    await rm(path);
    await put('b.ndjson', 1);
    await expect(resumed()).rejects.toMatchObject({ code: 'MILLRACE_RESUME' });
  });
});

describe('files that are watched', () => {
  const watched: FilesOptions = { watch: true, everyMs: 100, idleMs: 1000 };

  it('are read when they appear and have not changed between two looks, until none appears any more', async () => {
    const clock = virtualClock();
    const seen: string[] = [];
    await put('a.ndjson', 'a');
    const start = clock.now();
    // Real files that change at moments of the virtual clock, which stands still meanwhile.
    const at = (ms: number, act: () => Promise<unknown>): void => {
      clock.schedule(ms, () => {
        void clock.hold(act());
      });
    };
    at(250, () => put('b.ndjson', 'half'));
    at(350, () => put('b.ndjson', 'b', 'b2'));
    at(1000, async () => {
      await put('c.tmp', 'c');
      await rename(join(folder, 'c.tmp'), join(folder, 'c.ndjson'));
    });
    const work = async (record: unknown): Promise<void> =>
      void seen.push(`${String(record)} at ${clock.now() - start}`);
    const records = await clock.runUntil(read(join(folder, '*.ndjson'), watched, { clock, work }));
    expect(records).toEqual(['a', 'b', 'b2', 'c']);
    expect(seen).toEqual(['a at 100', 'b at 500', 'b2 at 500', 'c at 1100']);
  });

  it('end when the run drains, also where there are none', async () => {
    const clock = virtualClock();
    const flow = defineWorkflow({
      name: 'Watch',
      build: (tasks) =>
        tasks.task('Read', ndjsonSource({ path: files(join(folder, '*'), { watch: true }) })).task(
          'End',
          ['Read'],
          sinkTask(() => undefined),
        ),
    });
    const run = flow.run(undefined, { clock });
    clock.schedule(10_000, () => {
      run.drain();
    });
    expect((await clock.runUntil(run.finished)).outcome).toBe('drained');
  });

  it('are not read again by a resumed run, which reads those that were added in the meantime', async () => {
    await put('a.ndjson', 'a1', 'a2');
    const kept = memoryCheckpoints();
    const clock = virtualClock();
    const stop = new AbortController();
    clock.schedule(10_000, () => {
      stop.abort();
    });
    const first: unknown[] = [];
    const reading = read(
      join(folder, '*'),
      { watch: true, everyMs: 100 },
      {
        clock,
        checkpoints: kept.begin(),
        signal: stop.signal,
        work: async (record) => void first.push(record),
      },
    );
    await clock.runUntil(reading);
    expect(first).toEqual(['a1', 'a2']);
    const { last } = kept;
    await rm(join(folder, 'a.ndjson'));
    await put('b.ndjson', 'b');
    const second = read(join(folder, '*'), watched, { clock, checkpoints: kept.begin(), resumeFrom: last });
    expect(await clock.runUntil(second)).toEqual(['b']);
  });
});

/** The source as the contract counts partitions: 0, 1, … in the order of the names of the files. */
function counted<T>(source: Source<T>, names: readonly string[]): Source<T> {
  const numbers = names.map((name) => partitionOfPath(name));
  return {
    ...(source.dataset && { dataset: source.dataset }),
    isPartitioned: true,
    open: async (context, past) => {
      const partitions = past?.partitions.map((own) => ({ ...own, partition: numbers[own.partition] as number }));
      const opened = await source.open(context, past && { ...past, partitions: partitions ?? [] });
      return opened.map((one) => ({
        partition: numbers.indexOf(one.partition),
        ...(one.from === undefined ? {} : { from: one.from }),
        read: (max) => one.read(max),
        close: () => one.close?.(),
      }));
    },
    close: (outcome) => source.close?.(outcome),
  };
}

interface Kind {
  readonly ending: string;
  readonly records: readonly unknown[];
  readonly make: (folder: string) => Source<unknown>;
  readonly textOf: (records: readonly unknown[]) => string;
}

const KINDS: readonly Kind[] = [
  {
    ending: 'ndjson',
    records: [0, 'b', '', false, null, { x: 7 }],
    make: (place) => new NdjsonSource({ path: files(join(place, '*'), { parallel: 4 }) }),
    textOf: (records) => records.map((record) => `${JSON.stringify(record)}\n`).join(''),
  },
  {
    ending: 'csv',
    records: ['a', '', 'c', 'd', 'e'].map((id) => ({ id, n: '1' })),
    make: (place) => new CsvSource({ path: files(join(place, '*'), { parallel: 4 }) }),
    textOf: (records) => `id,n\n${records.map((record) => `${(record as { id: string }).id},1\n`).join('')}`,
  },
];

describe.each(KINDS)('files of $ending as partitions', ({ ending, records, make, textOf }) => {
  it('are closed again if they are closed while they are opened', async () => {
    await writeFile(join(folder, `0.${ending}`), textOf(records));
    for (let turns = 0; turns < 20; turns++) {
      const source = make(folder);
      const [partition] = await source.open(contextOfTest('Read'), undefined);
      const read = Promise.resolve(partition?.read(1)).catch(() => null);
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await partition?.close?.();
      await read;
    }
    expect((await openFilesIn(folder)) ?? []).toEqual([]);
  });

  it.each(
    connectorContract({
      partitioned: {
        records,
        place: async (partitions) => {
          const place = join(root, `contract-${made++}`);
          await mkdir(place);
          const names: string[] = [];
          const grow = async (some: readonly unknown[]): Promise<void> => {
            const name = join(place, `${names.length}.${ending}`);
            names.push(name);
            await writeFile(name, textOf(some));
          };
          for (const some of partitions) await grow(some);
          return { make: () => counted(make(place), names), grow };
        },
      },
    }),
  )('$name', ({ run }) => run());
});
