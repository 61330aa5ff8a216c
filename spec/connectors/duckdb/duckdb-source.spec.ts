/** Queries of DuckDB over files as a source: the contract, values, resuming, and errors in one sentence. */
import { appendFile, utimes, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { asyncTask, defineWorkflow, sinkTask, type MillraceError } from 'millrace';
import { duckdbSource, type DuckdbFields, type DuckdbSourceOptions } from 'millrace/duckdb';
import { connectorContract, memoryCheckpoints, virtualClock, type SourceSubject } from 'millrace/testing';
import { DuckdbSource } from '#lib/connectors/duckdb/duckdb-source.js';
import { DuckdbSession } from '#lib/connectors/duckdb/duckdb-session.js';

const folders: string[] = [];
let folder: string;

async function newFolder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-duckdb-spec-'));
  folders.push(made);
  return made;
}

beforeEach(async () => {
  folder = await newFolder();
});

afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** Runs the query, and returns its records. */
async function recordsOf<Out>(options: DuckdbSourceOptions<Out>): Promise<Out[]> {
  const records: Out[] = [];
  const flow = defineWorkflow({
    name: 'Read',
    build: (build) =>
      build.task('Rows', duckdbSource(options)).task(
        'Keep',
        ['Rows'],
        sinkTask((record: Out) => void records.push(record)),
      ),
  });
  await flow.run().finished;
  return records;
}

async function errorOf(options: DuckdbSourceOptions<unknown>): Promise<string> {
  return recordsOf(options).then(
    () => 'none',
    (error: unknown) => `${(error as MillraceError).code}: ${(error as MillraceError).message}`,
  );
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
  const place = async (rows: readonly Row[], keyset: { readonly keyset?: readonly string[] }) => {
    const path = join(await newFolder(), 'rows.ndjson');
    await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    const options = "columns = {'id': 'BIGINT', 'text': 'VARCHAR'}";
    return () => new DuckdbSource<Row>({ sql: 'SELECT id, text FROM f', files: { f: { path, options } }, ...keyset });
  };
  const missing = (): DuckdbSource<Row> => new DuckdbSource({ sql: 'SELECT * FROM f', files: { f: '/none/f.csv' } });
  const byKey: SourceSubject<Row> = { records, place: (rows) => place(rows, { keyset: ['id'] }), missing };
  const again: SourceSubject<Row> = { records, place: (rows) => place(rows, {}), missing };

  describe('by a keyset', () => {
    it.each(connectorContract({ source: byKey }))('$name', ({ run }) => run());
  });

  describe('read again from the start', () => {
    it.each(connectorContract({ source: again }))('$name', ({ run }) => run());
  });
});

describe('a value', () => {
  const CASES: readonly (readonly [string, unknown])[] = [
    ['NULL', null],
    ['true', true],
    ['1::TINYINT', 1],
    ['42::BIGINT', 42],
    ['9007199254740991::BIGINT', 9007199254740991],
    ['9007199254740993::BIGINT', 9007199254740993n],
    ['count(*)', 1],
    ['170141183460469231731687303715884105727::HUGEINT', 170141183460469231731687303715884105727n],
    ['0.1::DOUBLE', 0.1],
    ['0.5::FLOAT', 0.5],
    ['12.30::DECIMAL(10, 2)', '12.30'],
    ["'12345678901234567890.123456789'::DECIMAL(38, 9)", '12345678901234567890.123456789'],
    ["DATE '2024-02-29'", '2024-02-29'],
    ["TIMESTAMP '2024-02-29 12:34:56.789123'", new Date('2024-02-29T12:34:56.789Z')],
    ["TIMESTAMP '1969-12-31 23:59:59.999999'", new Date('1969-12-31T23:59:59.999Z')],
    ["TIMESTAMPTZ '2024-02-29 12:00:00+02'", new Date('2024-02-29T10:00:00.000Z')],
    ["'2024-02-29 12:00:01'::TIMESTAMP_S", new Date('2024-02-29T12:00:01.000Z')],
    ["'2024-02-29 12:00:01.123'::TIMESTAMP_MS", new Date('2024-02-29T12:00:01.123Z')],
    ["'2024-02-29 12:00:01.123456789'::TIMESTAMP_NS", new Date('2024-02-29T12:00:01.123Z')],
    ["TIMESTAMP 'infinity'", Infinity],
    ["TIMESTAMP '-infinity'", -Infinity],
    ["TIME '12:34:56.5'", '12:34:56.5'],
    ['INTERVAL 36 HOUR', '36:00:00'],
    ["'é' || chr(0)", 'é\0'],
    ["'\\xAA\\x00'::BLOB", new Uint8Array([0xaa, 0])],
    ["'9d2a3b0c-0000-4000-8000-000000000001'::UUID", '9d2a3b0c-0000-4000-8000-000000000001'],
    ['[1, NULL, 3]', [1, null, 3]],
    ['[1, 2]::INTEGER[2]', [1, 2]],
    ["[DATE '2024-01-01']", ['2024-01-01']],
    ["{a: 1, b: ['x'], c: NULL}", { a: 1, b: ['x'], c: null }],
    ["MAP {'k': 1}", [{ key: 'k', value: 1 }]],
    [`'{"a": [1]}'::JSON`, { a: [1] }],
    ["'b'::ENUM('a', 'b')", 'b'],
    ["'101'::BIT", '101'],
  ];

  it.each(CASES)('%s has one form in JavaScript', async (sql, expected) => {
    const [row] = await recordsOf({ sql: `SELECT ${sql} AS v`, replayable: true });
    expect(row).toEqual({ v: expected });
  });

  it('of a type without a rule fails the run before the first row', async () => {
    expect(await errorOf({ sql: 'SELECT 1 AS a, 2::VARIANT AS "b c"' })).toBe(
      'MILLRACE_SQL: The query of \'Rows\' has a column "b c" of the type VARIANT, which has no form in JavaScript. Convert it in the SELECT, for example with CAST(… AS VARCHAR)',
    );
  });

  it('is a parameter in the same form, without being part of the SQL', async () => {
    const params = ["'; DROP", 5, 9007199254740993n, 0.5, true, null, new Date(0), new Uint8Array([1, 0])];
    const sql = `SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f, $7 AS g, $8 AS h`;
    const [row] = await recordsOf({ sql, params, replayable: true });
    expect(Object.values(row ?? {})).toEqual(params);
  });
});

describe('files', () => {
  it('are tables of the query, whatever their format', async () => {
    const members = await write('members.csv', 'id,city\n1,Oslo\n2,Rome\n');
    await write('1.ndjson', '{"id": 1, "points": 5}\n');
    await write('2.ndjson', '{"id": 2, "points": 6}\n{"id": 1, "points": 7}\n');
    const records = await recordsOf({
      sql: 'SELECT city, sum(points) AS points FROM m JOIN p USING (id) GROUP BY city',
      files: { m: members, p: join(folder, '*.ndjson') },
      keyset: ['city'],
    });
    expect(records).toEqual([
      { city: 'Oslo', points: 12 },
      { city: 'Rome', points: 6 },
    ]);
  });

  it('are read in the order of their names, and with the options of their reader', async () => {
    await write('b.txt', '2;x\n');
    await write('a.txt', '1;y\n');
    const options = "delim = ';', header = false, names = ['id', 'text']";
    const files = { f: { path: join(folder, '*.txt'), format: 'csv', options } } as const;
    expect(await recordsOf({ sql: 'SELECT * FROM f', files, replayable: true })).toEqual([
      { id: 1, text: 'y' },
      { id: 2, text: 'x' },
    ]);
  });

  it('may have quotes in their names', async () => {
    const path = await write("it's.csv", 'id\n1\n');
    expect(await recordsOf({ sql: `SELECT * FROM "a ""b"`, files: { 'a "b': path }, replayable: true })).toEqual([
      { id: 1 },
    ]);
  });

  it('that are missing, or do not fit together, fail the run with one sentence', async () => {
    const [csv, other] = [await write('x.csv', 'id\n1\n'), await write('y.csv', 'name\nz\n')];
    const broken = await write('z.parquet', 'no parquet');
    const of = (path: string | string[]): Promise<string> => errorOf({ sql: 'SELECT * FROM f', files: { f: path } });
    expect(await of(join(folder, 'none.csv'))).toMatch(
      /^MILLRACE_FILE: Cannot read .*none\.csv: there is no such file/,
    );
    expect(await of(join(folder, 'n*.csv'))).toMatch(/^MILLRACE_FILE: No file matches .*n\*\.csv/);
    expect(await of([csv, other])).toMatch(/^MILLRACE_SQL: The (files 'f'|query) of 'Rows'.*name/);
    expect(await of(broken)).toMatch(/^MILLRACE_SQL: The files 'f' of 'Rows': .*z\.parquet.*[Pp]arquet/);
    expect(await of(join(folder, 'x.xlsx'))).toMatch(/^MILLRACE_INVALID_OPTION: Expected `files\.f` to end in/);
  });

  it('that change while they are read fail the run', async () => {
    // More rows than the window: the source is not at its end when the first one is written.
    const path = await write('x.csv', `id\n${'1\n'.repeat(20_000)}`);
    const flow = defineWorkflow({
      name: 'Changed',
      build: (build) =>
        build.task('Rows', duckdbSource({ sql: 'SELECT * FROM f', files: { f: path } })).task(
          'Append',
          ['Rows'],
          sinkTask(() => utimes(path, new Date(), new Date(0))),
        ),
    });
    await expect(flow.run().finished).rejects.toThrow(/x\.csv: it changed while it was read/);
  });
});

describe('a query', () => {
  it('that DuckDB refuses fails the run with one sentence', async () => {
    expect(await errorOf({ sql: 'SELEC 1' })).toBe(
      `MILLRACE_SQL: The query of 'Rows': Failed to extract statements: Parser Error: syntax error at or near "SELEC"`,
    );
    expect(await errorOf({ sql: 'SELECT 1; SELECT 2' })).toMatch(/expected one SELECT, got 2 statements/);
    expect(await errorOf({ sql: "COPY (SELECT 1) TO 'x.csv'" })).toMatch(/expected a SELECT/);
    expect(await errorOf({ sql: "SELECT 'x'::INTEGER AS a FROM range(1) t(i) WHERE i = 0" })).toMatch(
      /^MILLRACE_SQL: .*Could not convert string 'x' to INT32/,
    );
    expect(await errorOf({ sql: 'SELECT 1 AS a, 2 AS a' })).toMatch(
      /it has two columns "a". Name it otherwise, with AS/,
    );
    expect(await errorOf({ sql: 'SELECT 1', params: [Symbol('s')] })).toMatch(/Parameter 1 of 'Rows' cannot be/);
  });

  it('never downloads an extension', async () => {
    expect(await errorOf({ sql: "SELECT * FROM 's3://a/b.parquet'" })).toMatch(/MILLRACE_SQL: .*INSTALL httpfs/);
  });

  it('may be prepared by statements', async () => {
    const sql = 'SELECT twice(2) AS v';
    expect(await recordsOf({ sql, setup: 'CREATE MACRO twice(x) AS x * 2', replayable: true })).toEqual([{ v: 4 }]);
  });

  it('whose rows do not fit the schema ends them as dead letters', async () => {
    const records: number[] = [];
    const schema = z.object({ v: z.number().max(1) }).transform(({ v }) => v);
    const flow = defineWorkflow({
      name: 'Schema',
      build: (build) =>
        build.task('Rows', duckdbSource({ sql: 'SELECT i AS v FROM range(3) t(i)', schema, onFailure: 'skip' })).task(
          'Keep',
          ['Rows'],
          sinkTask((record: number) => void records.push(record)),
        ),
    });
    const { tasks } = await flow.run().finished;
    expect([records, tasks['Rows']?.skipped]).toEqual([[0, 1], 1]);
  });
});

describe('a query that is long', () => {
  it('is at most one small buffer ahead of its reader', async () => {
    const session = await DuckdbSession.open();
    await session.run('spec', 'CREATE SEQUENCE computed');
    const reader = await session.query('spec', "SELECT nextval('computed') AS n FROM range(100000000)");
    for (let chunk = 0; chunk < 3; chunk++) expect((await reader.next())?.rowCount).toBe(2048);
    // A query that ran to its end would keep this waiting for a minute.
    await session.close();
  });

  it('ends when its session is closed, whatever DuckDB is doing', async () => {
    const session = await DuckdbSession.open();
    const long = session.query('spec', 'SELECT sum(sqrt(a.range * b.range)) FROM range(10000000) a, range(10000000) b');
    const failed = expect(long).rejects.toMatchObject({ code: 'MILLRACE_ABORTED' });
    await session.close();
    await failed;
  });

  it('ends when the run is cancelled, also before its first row', async () => {
    const sql = 'SELECT sum(sqrt(a.i * b.i)) AS v FROM range(10000000) a(i), range(10000000) b(i)';
    const flow = defineWorkflow({
      name: 'Long',
      build: (build) =>
        build.task('Rows', duckdbSource({ sql, replayable: true })).task(
          'Keep',
          ['Rows'],
          sinkTask(() => undefined),
        ),
    });
    const stop = new AbortController();
    const finished = flow.run(undefined, { signal: stop.signal }).finished;
    setImmediate(() => {
      stop.abort();
    });
    expect(await finished).toMatchObject({ outcome: 'cancelled' });
  });
});

describe('a run that is resumed', () => {
  /** Reads until `count` records are done, and is cancelled then. Returns what was done. */
  async function part(
    count: number,
    kept: ReturnType<typeof memoryCheckpoints>,
    options: DuckdbSourceOptions<DuckdbFields>,
  ): Promise<DuckdbFields[]> {
    const stop = new AbortController();
    const clock = virtualClock();
    const done: DuckdbFields[] = [];
    clock.schedule(5000, () => {
      stop.abort();
    });
    const flow = defineWorkflow({
      name: 'Resumed',
      build: (build) =>
        build.task('Rows', duckdbSource(options)).task(
          'Work',
          ['Rows'],
          asyncTask((record: DuckdbFields) => {
            if (done.length >= count) return new Promise<DuckdbFields>(() => undefined);
            done.push(record);
            return Promise.resolve(record);
          }),
        ),
    });
    const { last } = kept;
    const { finished } = flow.run(undefined, {
      ...{ clock, window: 16, signal: stop.signal, checkpoints: kept.begin() },
      ...(last && { resumeFrom: last }),
    });
    await clock.runUntil(finished.catch(() => undefined));
    return done;
  }

  const sql =
    "SELECT i % 3 AS a, i AS b, i::VARCHAR AS c, TIMESTAMP '2024-01-01' + to_microseconds(i) AS d FROM range(90) t(i)";

  it.each([
    ['a number', ['b']],
    ['a text', ['c']],
    ['moments a microsecond apart', ['d']],
    ['several columns', ['a', 'b']],
  ])('has each row once, by a keyset of %s', async (_, keyset) => {
    const kept = memoryCheckpoints();
    const done: number[] = [];
    for (let incarnation = 0; incarnation < 9; incarnation++) {
      for (const { b } of await part(20, kept, { sql, keyset })) done.push(b as number);
    }
    expect(done).toHaveLength(90);
    expect(new Set(done).size).toBe(90);
  });

  it('has each row of files in their order, without a keyset', async () => {
    const path = await write('x.csv', `id\n${Array.from({ length: 50 }, (_, id) => `${id}\n`).join('')}`);
    const options = { sql: 'SELECT * FROM f WHERE id % 2 = 0', files: { f: path }, replayable: true };
    const kept = memoryCheckpoints();
    const done = [...(await part(10, kept, options)), ...(await part(100, kept, options))];
    expect(done.map(({ id }) => id)).toEqual(Array.from({ length: 25 }, (_, i) => 2 * i));
  });

  it('is refused if a file or the query has changed', async () => {
    const path = await write('x.csv', 'id\n1\n2\n3\n');
    const options = { sql: 'SELECT * FROM f', files: { f: path }, keyset: ['id'] };
    const before = await new DuckdbSource(options).identify();
    expect(await new DuckdbSource(options).identify()).toEqual(before);
    expect(await new DuckdbSource({ ...options, sql: 'SELECT * FROM f ' }).identify()).not.toEqual(before);
    expect(await new DuckdbSource({ ...options, setup: 'SET threads = 1' }).identify()).not.toEqual(before);
    await appendFile(path, '4\n');
    expect(await new DuckdbSource(options).identify()).not.toEqual(before);
  });
});
