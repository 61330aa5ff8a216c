/** Parquet files as sources and sinks: the contract, round trips, resuming, and errors in one sentence. */
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineWorkflow, sinkTask, sourceTask, type MillraceError } from 'millrace';
import { files, parquetSink, parquetSource, type DuckdbFields } from 'millrace/duckdb';
import { connectorContract, recordingDeadLetters, type SinkSubject, type SourceSubject } from 'millrace/testing';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { DuckdbSession } from '#lib/connectors/duckdb/duckdb-session.js';
import type { PartsPoint } from '#lib/connectors/duckdb/parquet-parts.js';
import { ParquetSink } from '#lib/connectors/duckdb/parquet-sink.js';
import { ParquetSource, type ParquetSourceOptions } from '#lib/connectors/duckdb/parquet-source.js';

const folders: string[] = [];
let folder: string;

async function newFolder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-parquet-'));
  folders.push(made);
  return made;
}

beforeEach(async () => {
  folder = await newFolder();
});

afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true });
});

/** Makes a Parquet file of a query. */
async function make(name: string, sql: string, options = ''): Promise<string> {
  const path = join(folder, name);
  const session = await DuckdbSession.open();
  await session.run('spec', `COPY (${sql}) TO '${path}' (FORMAT parquet${options})`);
  await session.close();
  return path;
}

async function read<Out = DuckdbFields>(options: ParquetSourceOptions<Out>): Promise<Out[]> {
  const records: Out[] = [];
  const flow = defineWorkflow({
    name: 'Read',
    build: (build) =>
      build.task('Rows', parquetSource(options)).task(
        'Keep',
        ['Rows'],
        sinkTask((record: Out) => void records.push(record)),
      ),
  });
  await flow.run().finished;
  return records;
}

async function write<Column extends string>(
  records: readonly Record<string, unknown>[],
  columns: Readonly<Record<Column, string>>,
  options: object = {},
  path = join(folder, 'out.parquet'),
) {
  const deadLetters = recordingDeadLetters();
  const flow = defineWorkflow({
    name: 'Write',
    build: (build) =>
      build
        .task(
          'Records',
          sourceTask(() => records),
        )
        .task('File', ['Records'], parquetSink<Record<string, unknown>, Column>({ path, columns, ...options })),
  });
  const summary = await flow.run(undefined, { deadLetters }).finished;
  return { summary, letters: deadLetters.letters.map(({ message }) => message) };
}

interface Row {
  readonly id: number;
  readonly text: string | null;
}

describe('the contract', () => {
  const records: readonly Row[] = [
    { id: 0, text: '' },
    { id: 1, text: 'a, "b"\nc' },
    { id: 2, text: null },
    { id: 3, text: 'é' },
    { id: 9, text: 'false' },
  ];
  const columns = { id: 'INTEGER', text: 'VARCHAR' } as const;
  const placeRows = async (rows: readonly Row[]): Promise<string> => {
    const path = join(await newFolder(), 'rows.parquet');
    const sink = new ParquetSink<Row, keyof Row>({ path, columns });
    await sink.open(contextOfTest('File'), undefined);
    const encoded = rows.map((row) => sink.encode(row));
    if (rows.length > 0) {
      await sink.write({ root: 'r', partition: 0, numbers: rows.map((_, i) => i), rows: encoded });
    }
    await sink.close('completed');
    return path;
  };
  const source: SourceSubject<Row> = {
    records,
    place: async (rows) => {
      const path = await placeRows(rows);
      return () => new ParquetSource<Row>({ path });
    },
    missing: () => new ParquetSource<Row>({ path: join(tmpdir(), 'millrace-none', 'rows.parquet') }),
  };
  const sink: SinkSubject<Row> = {
    records,
    place: async () => {
      const path = join(await newFolder(), 'rows.parquet');
      return {
        make: () => new ParquetSink<Row, keyof Row>({ path, columns }),
        read: () => (existsSync(path) ? read<Row>({ path }) : Promise.resolve([])),
        // The process lives on, so what it has open is released; a file does the same for a failure and for a death.
        kill: (dying) => dying.close?.('failed'),
      };
    },
  };

  it.each(connectorContract({ source, sink }))('$name', ({ run }) => run());
});

describe('a Parquet file', () => {
  it('has what was written to it, type by type', async () => {
    const columns = {
      ...{
        a: 'BIGINT',
        b: 'DECIMAL(20, 2)',
        c: 'DATE',
        d: 'TIMESTAMP',
        e: 'INTEGER[]',
        f: 'STRUCT(x DOUBLE, y VARCHAR[])',
      },
      ...{ g: 'BLOB', h: 'BOOLEAN', i: 'JSON', j: 'TIMESTAMPTZ', k: 'UBIGINT', l: 'FLOAT' },
    };
    const full = {
      ...{ a: 9007199254740993n, b: '123456789012345678.90', c: '2024-02-29', d: new Date('2024-02-29T12:00:00.123Z') },
      ...{ e: [1, null, 3], f: { x: 0.1, y: ['é\0', null] }, g: new Uint8Array([0, 255]), h: false, i: { deep: [1] } },
      ...{ j: new Date(-1), k: 2n ** 64n - 1n, l: 0.5 },
    };
    const empty = Object.fromEntries(Object.keys(columns).map((name) => [name, null]));
    await write([full, {}], columns);
    expect(await read({ path: join(folder, 'out.parquet') })).toEqual([full, empty]);
  });

  it('has whole numbers in place of bigints where they fit, and the other way round', async () => {
    await write(
      [
        { a: 5, b: 7 },
        { a: 5n, b: '7.5' },
      ],
      { a: 'BIGINT', b: 'DECIMAL(5, 1)' },
    );
    expect(await read({ path: join(folder, 'out.parquet') })).toEqual([
      { a: 5, b: '7.0' },
      { a: 5, b: '7.5' },
    ]);
  });

  it('gets no value that does not fit: each such record is a dead letter', async () => {
    const bad: readonly (readonly [string, unknown])[] = [
      ['BIGINT', 0.5],
      ['BIGINT', 2n ** 63n],
      ['BIGINT', '5'],
      ['TINYINT', 128],
      ['DECIMAL(4, 2)', '0.123'],
      ['DECIMAL(4, 2)', '100'],
      ['DECIMAL(4, 2)', 1e21],
      ['DATE', '2024-02-30'],
      ['DATE', new Date(1)],
      ['TIMESTAMP', '2024-01-01'],
      ['TIMESTAMP', new Date(NaN)],
      ['VARCHAR', 5],
      ['VARCHAR', '\ud800'],
      ['FLOAT', 0.1],
      ['BLOB', 'x'],
      ['INTEGER[]', [1, 'x']],
      ['STRUCT(x INTEGER)', { x: 1, y: 2 }],
      ['JSON', { x: 1n }],
    ];
    const columns = Object.fromEntries(bad.map(([type], i) => [`c${i}`, type]));
    const records = bad.map(([, value], i) => ({ [`c${i}`]: value }));
    const { letters } = await write([...records, {}], columns);
    expect(letters).toHaveLength(bad.length);
    expect(letters[0]).toContain(`The column "c0" of 'File' has the type BIGINT, and cannot contain 0.5 (number)`);
    expect(await read({ path: join(folder, 'out.parquet') })).toHaveLength(1);
  });

  it('keeps the order of many rows in several row groups', async () => {
    const records = Array.from({ length: 10_000 }, (_, id) => ({ id }));
    await write(records, { id: 'INTEGER' }, { rowGroupRows: 2048, compression: 'zstd' });
    expect(await read({ path: join(folder, 'out.parquet') })).toEqual(records);
    expect(await readdir(folder)).toEqual(['out.parquet']);
  });

  it('without rows has its columns', async () => {
    await write([], { id: 'INTEGER', at: 'TIMESTAMP' });
    expect(await read({ path: join(folder, 'out.parquet') })).toEqual([]);
    expect(await read({ path: join(folder, 'out.parquet'), columns: ['at'] })).toEqual([]);
  });

  it('is read column by column, through a schema', async () => {
    const path = await make('x.parquet', "SELECT i AS id, 'x' || i AS name, i * 2 AS v FROM range(3) t(i)");
    expect(await read({ path, columns: ['name', 'id'] })).toEqual([
      { name: 'x0', id: 0 },
      { name: 'x1', id: 1 },
      { name: 'x2', id: 2 },
    ]);
    const schema = z.object({ v: z.number() }).transform(({ v }) => v);
    expect(await read({ path, schema })).toEqual([0, 2, 4]);
  });

  it('is one of several that are read in their order, also with signs of patterns in their names', async () => {
    await make('b[1].parquet', 'SELECT 2 AS id');
    await make('a.parquet', 'SELECT 1 AS id');
    expect(await read({ path: files(join(folder, '*.parquet')) })).toEqual([{ id: 1 }, { id: 2 }]);
  });

  it('is found by a value in it', async () => {
    const path = await make('x.parquet', "SELECT i AS id, ['t' || i] AS tags FROM range(3000) t(i)");
    const found = [];
    for await (const one of new ParquetSource({ path }).find('t2500')) found.push(one);
    expect(found).toEqual([
      { where: `${path}, row 2501`, what: 'read: {"id":2500,"tags":["t2500"]}', lineage: 2500, isOver: false },
    ]);
  });
});

describe('a Parquet file that cannot be read', () => {
  const errorOf = (options: ParquetSourceOptions<unknown>): Promise<string> =>
    read(options).then(
      () => 'none',
      (error: unknown) => `${(error as MillraceError).code}: ${(error as MillraceError).message}`,
    );

  it('fails the run with one sentence', async () => {
    const path = await make('x.parquet', 'SELECT 1 AS id, 2 AS name');
    const text = join(folder, 'text.parquet');
    await writeFile(text, 'id,name\n1,2\n');
    expect(await errorOf({ path: join(folder, 'none.parquet') })).toMatch(
      /^MILLRACE_FILE: Cannot read .*: there is no such file/,
    );
    expect(await errorOf({ path: text })).toMatch(/^MILLRACE_FILE: Cannot read .*text\.parquet.*[Pp]arquet/);
    expect(await errorOf({ path, columns: ['id', 'nam'] })).toBe(
      `MILLRACE_INVALID_OPTION: ${path} has no column "nam" (string). Its columns: id, name`,
    );
    const cut = (await readFile(path)).subarray(0, 100);
    await writeFile(path, cut);
    expect(await errorOf({ path })).toMatch(/^MILLRACE_FILE: Cannot read .*x\.parquet/);
  });

  it('fails the run if it changes while it is read', async () => {
    const path = await make('x.parquet', 'SELECT 1 AS id');
    const flow = defineWorkflow({
      name: 'Changed',
      build: (build) =>
        build.task('Rows', parquetSource({ path })).task(
          'Append',
          ['Rows'],
          sinkTask(() => appendFile(path, 'x')),
        ),
    });
    await expect(flow.run().finished).rejects.toThrow(/it changed while it was read/);
  });
});

describe('a Parquet file that cannot be written', () => {
  const refused = (path: string, columns: Record<string, string> = { id: 'INTEGER' }): Promise<string> =>
    write([{ id: 1 }], columns, {}, path).then(
      () => 'none',
      (error: unknown) => `${(error as MillraceError).code}: ${(error as MillraceError).message}`,
    );

  it('is refused with one sentence', async () => {
    const other = join(folder, 'notes');
    await writeFile(other, 'my notes');
    expect(await refused(other)).toMatch(/holds something else.*ends in \.parquet/);
    expect(await refused(join(folder, 'none', 'x.parquet'))).toMatch(
      /^MILLRACE_FILE: .*does not exist; create it first/,
    );
    expect(await refused('/dev/null')).toMatch(/a device or a pipe, and Parquet needs a file/);
    expect(await refused(join(folder, 'x.parquet'), { id: 'INTEGRE' })).toMatch(
      /^MILLRACE_SQL: The columns of 'File': .*INTEGRE/,
    );
    expect(await refused(join(folder, 'x.parquet'), { id: 'INTERVAL' })).toMatch(
      /The column "id" of 'File' has the type INTERVAL, which cannot be written/,
    );
    expect(await readFile(other, 'utf8')).toBe('my notes');
  });

  it('stays as it was until the run has completed, and a link to it stays a link', async () => {
    const path = await make('x.parquet', 'SELECT 1 AS id');
    const link = join(folder, 'link.parquet');
    await symlink(path, link);
    const broken = function* (): Generator<{ readonly id: number }> {
      yield { id: 2 };
      throw new Error('The input broke');
    };
    const flow = (input: () => Iterable<{ readonly id: number }>) =>
      defineWorkflow({
        name: 'Replace',
        build: (build) =>
          build
            .task('Records', sourceTask(input))
            .task('File', ['Records'], parquetSink({ path: link, columns: { id: 'INTEGER' } })),
      });
    await expect(flow(broken).run().finished).rejects.toThrow('The input broke');
    expect(await read({ path })).toEqual([{ id: 1 }]);
    await flow(() => [{ id: 3 }]).run().finished;
    expect(await read({ path })).toEqual([{ id: 3 }]);
    expect((await readdir(folder)).sort()).toEqual(['link.parquet', 'x.parquet']);
  });
});

describe('a Parquet file of a run that is resumed', () => {
  const columns = { id: 'INTEGER' } as const;
  type Id = { readonly id: number };

  /** A sink that continues at this point, with some more rows. */
  async function incarnation(from: PartsPoint | undefined, ids: readonly number[], path = join(folder, 'out.parquet')) {
    const sink = new ParquetSink<Id, 'id'>({ path, columns });
    await sink.open(
      contextOfTest('File'),
      from && { prepared: JSON.parse(JSON.stringify(from)) as PartsPoint, isAnew: false },
    );
    if (ids.length > 0) {
      await sink.write({ root: 'r', partition: 0, numbers: ids, rows: ids.map((id) => sink.encode({ id })) });
    }
    return sink;
  }
  const result = async (): Promise<readonly unknown[]> =>
    (await read<Id>({ path: join(folder, 'out.parquet') })).map(({ id }) => id);

  it('has the rows of each incarnation up to its last checkpoint, in order', async () => {
    const first = await incarnation(undefined, [0, 1]);
    await first.prepare();
    await first.write({ root: 'r', partition: 0, numbers: [2], rows: [first.encode({ id: 2 })] });
    const point = await first.prepare();
    await first.write({ root: 'r', partition: 0, numbers: [9], rows: [first.encode({ id: 9 })] });
    await first.prepare();
    await first.close('failed');
    const second = await incarnation(point, [3]);
    const next = await second.prepare();
    await second.close('drained');
    expect(existsSync(join(folder, 'out.parquet'))).toBe(false);
    const third = await incarnation(next, [4]);
    await third.close('completed');
    expect(await result()).toEqual([0, 1, 2, 3, 4]);
    expect(await readdir(folder)).toEqual(['out.parquet']);
  });

  it('keeps its parts however its folder is written', async () => {
    const path = `${folder}/./out.parquet`;
    const first = await incarnation(undefined, [0, 1], path);
    const point = await first.prepare();
    await first.close('failed');
    const second = await incarnation(point, [2], path);
    await second.close('completed');
    expect(await result()).toEqual([0, 1, 2]);
    expect(await readdir(folder)).toEqual(['out.parquet']);
  });

  it('that died after it had named its result continues with that', async () => {
    const first = await incarnation(undefined, [0, 1]);
    const point = await first.prepare();
    await first.close('completed');
    const second = await incarnation(point, []);
    expect(await result()).toEqual([0, 1]);
    await second.close('completed');
    expect(await result()).toEqual([0, 1]);
  });

  it('that died while it removed the parts of its named result continues with that', async () => {
    const first = await incarnation(undefined, [0]);
    await first.prepare();
    await first.write({ root: 'r', partition: 0, numbers: [1], rows: [first.encode({ id: 1 })] });
    const point = await first.prepare();
    const left = `out.parquet.${point.series[0]?.token ?? ''}-0.part`;
    const content = await readFile(join(folder, left));
    await first.close('completed');
    await writeFile(join(folder, left), content);
    const second = await incarnation(point, [2]);
    await second.close('completed');
    expect(await result()).toEqual([0, 1, 2]);
    expect(await readdir(folder)).toEqual(['out.parquet']);
  });

  it('is refused if a part of its rows is gone', async () => {
    const first = await incarnation(undefined, [0]);
    const point = await first.prepare();
    await first.close('failed');
    for (const name of await readdir(folder)) await rm(join(folder, name));
    await expect(incarnation(point, [])).rejects.toMatchObject({ code: 'MILLRACE_RESUME' });
  });

  it('leaves no parts of a run that was given up to the next one', async () => {
    const first = await incarnation(undefined, [0]);
    await first.prepare();
    await first.close('failed');
    expect(await readdir(folder)).toHaveLength(1);
    const second = await incarnation(undefined, [5]);
    await second.close('completed');
    expect(await result()).toEqual([5]);
    expect(await readdir(folder)).toEqual(['out.parquet']);
  });
});
