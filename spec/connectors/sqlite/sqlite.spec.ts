/** SQLite: the contract of connectors, bad rows, values, locks of dead processes, and kills. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, syncTask, type RunOptions, type RunSummary } from 'millrace';
import { SqliteSink } from '#lib/connectors/sqlite/sqlite-sink.js';
import { SqliteSource } from '#lib/connectors/sqlite/sqlite-source.js';
import { SharedFile } from '#lib/connectors/sqlite/shared-file.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { connectorContract, memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { sqliteSink, sqliteSource, sqlStatement, type SqliteFields, type SqliteSinkOptions } from 'millrace/sqlite';

interface Item {
  readonly id: number;
  readonly name: string | null;
}

const ITEMS: readonly Item[] = [
  { id: 0, name: '' },
  { id: 1, name: null },
  { id: 2, name: 'ünï "quoted"' },
  { id: 3, name: 'line\nend' },
  { id: 4, name: '0' },
];
const items = (count: number): Item[] => Array.from({ length: count }, (_, id) => ({ id, name: `item ${id}` }));

let folder = '';
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function sql(path: string, text: string): Promise<SqliteFields[]> {
  const file = await SharedFile.open(path);
  try {
    return file.cursor(text).all([]);
  } finally {
    file.close();
  }
}

/** A file with this table, as `t`. */
async function fileWith(columns: string, records: readonly Item[] = []): Promise<string> {
  const path = join(folder, `${++count}.db`);
  await sql(path, `CREATE TABLE t (${columns})`);
  const file = await SharedFile.open(path);
  file.transaction(() => {
    for (const { id, name } of records) file.statement('INSERT INTO t (id, name) VALUES (?, ?)').run([id, name]);
  });
  file.close();
  return path;
}

function write(
  records: Iterable<Item>,
  options: Omit<SqliteSinkOptions<Item, 'id' | 'name'>, 'columns' | 'table'>,
  run: RunOptions = {},
): Promise<RunSummary> {
  return defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task(
          'Items',
          sourceTask<Item>(() => records),
        )
        .task('Table', ['Items'], sqliteSink({ table: 't', columns: ['id', 'name'], ...options })),
  }).run(undefined, run).finished;
}

describe('SQLite', () => {
  const cases = connectorContract<SqliteFields, Item>({
    source: {
      records: ITEMS as unknown as readonly SqliteFields[],
      place: async (records) => {
        const path = await fileWith('id INTEGER PRIMARY KEY, name TEXT', records as unknown as readonly Item[]);
        return () => new SqliteSource<SqliteFields>({ path, query: 'SELECT id, name FROM t;', keyset: ['id'] });
      },
      missing: () => new SqliteSource({ path: join(folder, 'nowhere', 'x.db'), query: 'SELECT 1' }),
    },
    sink: {
      records: ITEMS,
      place: async () => {
        const path = await fileWith('n INTEGER PRIMARY KEY, id INTEGER UNIQUE, name TEXT');
        const options = { path, table: 't', columns: ['id', 'name'] as const };
        return {
          make: () => new SqliteSink<Item, 'id' | 'name'>(options),
          kill: (sink) => sink.close?.('failed'),
          read: async () => (await sql(path, 'SELECT id, name FROM t ORDER BY n')) as unknown as readonly Item[],
        };
      },
    },
  });
  it.each(cases)('$name', async ({ run }) => {
    await run();
  });

  it.each(['insert', 'upsert'] as const)(
    'with mode %s, refused rows become dead letters, and all others are written',
    async (mode) => {
      const path = await fileWith('id INTEGER PRIMARY KEY CHECK (id <> 700), name TEXT NOT NULL');
      const deadLetters = recordingDeadLetters();
      const records = items(1200).map((item) => (item.id === 3 ? { ...item, name: null } : item));
      const key = mode === 'upsert' ? { key: ['id'] as const } : {};
      const summary = await write([...records, { id: 5, name: 'again' }], { path, mode, ...key }, { deadLetters });
      const refused = deadLetters.letters.map(({ record }) => (record as Item).id);
      expect(refused).toEqual(mode === 'insert' ? [3, 700, 5] : [3, 700]);
      expect(deadLetters.letters[0]).toMatchObject({ code: 'MILLRACE_SQL', task: 'Table' });
      expect(deadLetters.letters[0]?.message).toContain('NOT NULL constraint failed: t.name');
      expect(summary.tasks['Table']).toMatchObject({ in: 1201, deadLettered: refused.length });
      expect(await sql(path, 'SELECT count(*) AS n, (SELECT name FROM t WHERE id = 5) AS five FROM t')).toEqual([
        { n: 1198, five: mode === 'insert' ? 'item 5' : 'again' },
      ]);
    },
  );

  it('rows that were written after the last checkpoint are not written again', async () => {
    const path = await fileWith('id INTEGER, name TEXT');
    const broken = function* (): Generator<Item> {
      for (const item of items(1500)) {
        if (item.id === 1400) throw new Error('The input broke');
        yield item;
      }
    };
    await expect(
      write(broken(), { path }, { runId: 'kept', checkpoints: memoryCheckpoints().begin() }),
    ).rejects.toThrow();
    expect((await sql(path, 'SELECT * FROM t')).length).toBeGreaterThan(0);
    // The checkpoint is lost, and the rows are not.
    await write(items(1500), { path }, { runId: 'kept', checkpoints: memoryCheckpoints().begin() });
    expect(await sql(path, 'SELECT count(*) AS n, count(DISTINCT id) AS different FROM t')).toEqual([
      { n: 1500, different: 1500 },
    ]);
    expect(await sql(path, 'SELECT * FROM millrace_ranges')).toEqual([]);
  });

  it('a record that closes a gap joins the ranges beside it, also those of an earlier process', async () => {
    const path = await fileWith('id INTEGER PRIMARY KEY, name TEXT');
    const writeNumbers = async (...batches: readonly (readonly number[])[]): Promise<SqliteFields[]> => {
      const sink = new SqliteSink<Item, 'id' | 'name'>({ path, table: 't', columns: ['id', 'name'] });
      await sink.open(contextOfTest('Table'), undefined);
      for (const numbers of batches) {
        const rows = numbers.map((id) => sink.encode({ id, name: '' }));
        await sink.write({ root: 'Items', partition: 0, numbers, rows });
      }
      await sink.close('failed');
      return sql(path, 'SELECT first, past FROM millrace_ranges ORDER BY first');
    };
    expect(await writeNumbers([0, 2, 4], [3], [9])).toEqual([
      { first: 0, past: 1 },
      { first: 2, past: 5 },
      { first: 9, past: 10 },
    ]);
    expect(await writeNumbers([8, 1])).toEqual([
      { first: 0, past: 5 },
      { first: 8, past: 10 },
    ]);
    expect(await writeNumbers([5, 7], [6])).toEqual([{ first: 0, past: 10 }]);
    expect(await sql(path, 'SELECT count(*) AS n FROM t')).toEqual([{ n: 10 }]);
  });

  it('one file is read, written and asked at the same time, and values come back as they were', async () => {
    const path = await fileWith('id INTEGER PRIMARY KEY, name TEXT', items(3000));
    await sql(path, 'CREATE TABLE u (id INTEGER, name TEXT, big, real REAL, bytes BLOB, at TEXT, tags TEXT, ok)');
    const row = {
      big: 9007199254740993n,
      real: 0.1,
      bytes: new Uint8Array([0, 255]),
      at: new Date(0),
      tags: ['a'],
      ok: true,
    };
    const summary = await defineWorkflow({
      name: 'Copy',
      build: (flow) =>
        flow
          .task(
            'Rows',
            sqliteSource<Item>({ path, query: 'SELECT * FROM t WHERE id >= ?1', params: [1000], keyset: ['id'] }),
          )
          .task(
            'Name',
            ['Rows'],
            sqlStatement({
              path,
              sql: 'SELECT name FROM t WHERE id = ?1',
              params: ({ id }: Item) => [id],
              result: ([found], { id }) => ({ ...row, id, name: String(found?.['name']) }),
            }),
          )
          .task(
            'Table',
            ['Name'],
            sqliteSink({ path, table: 'u', columns: ['id', 'name', 'big', 'real', 'bytes', 'at', 'tags', 'ok'] }),
          )
          .task(
            'End',
            ['Table'],
            syncTask(() => 0),
          ),
    }).run().finished;
    expect(summary.tasks['Table']).toMatchObject({ out: 2000 });
    const [first] = await sql(path, 'SELECT * FROM u ORDER BY id LIMIT 1');
    expect({ ...first, bytes: [...((first?.['bytes'] ?? []) as Uint8Array)] }).toEqual({
      ...{ id: 1000, name: 'item 1000', big: 9007199254740993n, real: 0.1, bytes: [0, 255] },
      ...{ at: '1970-01-01T00:00:00.000Z', tags: '["a"]', ok: 1 },
    });
  });

  it('says in one sentence what is wrong with the table, the column, the key, the keyset or the query', async () => {
    const path = await fileWith('id INTEGER, name TEXT', [...items(2), ...items(1)]);
    const read = (query: string, keyset: readonly string[]): Promise<RunSummary> =>
      defineWorkflow({
        name: 'Read',
        build: (flow) =>
          flow.task('Rows', sqliteSource({ path, query, keyset })).task(
            'End',
            ['Rows'],
            syncTask(() => 0),
          ),
      }).run().finished;
    expect(() => sqliteSink({ path, table: 't', columns: ['id'], key: ['id'] })).toThrow(
      "Expected `key` of a sqliteSink with mode 'insert' to be left out: only 'upsert' uses it, got [id]",
    );
    await expect(write([], { path, mode: 'upsert', key: ['id'] })).rejects.toThrow(`'Table' cannot write to "t": `);
    await expect(read('SELECT * FROM nowhere', ['id'])).rejects.toThrow("The query of 'Rows': no such table: nowhere");
    await expect(read('SELECT * FROM t', ['id'])).rejects.toThrow('Choose a `keyset` that is different in each row');
    await expect(read('SELECT NULL AS id', ['id'])).rejects.toThrow('Choose a `keyset` that has a value in each row');
  });

  it('a file that a living process uses is refused, and the lock of a dead process is removed', async () => {
    const path = await fileWith('id INTEGER, name TEXT');
    const file = await SharedFile.open(path);
    const { isExclusive } = file;
    file.close();
    // Node's own SQLite locks by the system, which unlocks for dead processes.
    if (!isExclusive) return;
    expect(existsSync(`${path}.lock`)).toBe(false);
    mkdirSync(`${path}.lock`);
    await expect(write(items(1), { path })).rejects.toThrow(
      /is used by another process. Wait for it. If there is no such/,
    );
    const note = (pid: number): void => {
      writeFileSync(`${path}.millrace-owner`, JSON.stringify({ pid, host: hostname(), processStart: null }));
    };
    note(process.pid);
    await expect(write(items(1), { path })).rejects.toThrow(`is used by process ${process.pid} on`);
    const dead = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => dead.once('exit', resolve));
    note(dead.pid as number);
    await write(items(1), { path });
    expect(existsSync(`${path}.lock`)).toBe(false);
    // Killed between its lock and its note: only its claim is there.
    const claim = (pid: number | undefined): void => {
      const identity = JSON.stringify({ pid, host: hostname(), processStart: null });
      writeFileSync(`${path}.millrace-owner-${pid ?? ''}`, identity);
    };
    mkdirSync(`${path}.lock`);
    claim(dead.pid);
    claim(process.ppid);
    await expect(write(items(1), { path })).rejects.toThrow(`is used by process ${process.ppid} on`);
    rmSync(`${path}.millrace-owner-${process.ppid}`);
    await write(items(1), { path });
    expect(readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`))).toEqual([]);
  });
});

describe('runs that copy a SQLite table and are killed', () => {
  const KILLS = Number(process.env['MILLRACE_SQLITE_KILLS'] ?? 2);
  const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
  const FLOW = fileURLToPath(new URL('./modules/copy-flow.js', import.meta.url));

  it(
    `write each row once, over ${KILLS} kills`,
    async () => {
      for (let kills = 0; kills < KILLS;) {
        const place = mkdtempSync(join(folder, 'kill-'));
        const path = join(place, 'numbers.db');
        await sql(path, 'CREATE TABLE numbers (id INTEGER PRIMARY KEY, name TEXT)');
        await sql(path, 'CREATE TABLE copies (id INTEGER, name TEXT, CHECK (id <> 2100))');
        await sql(
          path,
          `INSERT INTO numbers WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 9999) SELECT n * 3, 'n' || n FROM c`,
        );
        let args = ['run', '--workflow', FLOW, '--set', `path=${path}`];
        for (;;) {
          const child = spawn(process.execPath, [CLI, ...args, '--quiet'], {
            cwd: place,
            stdio: ['ignore', 'ignore', 'pipe'],
          });
          let problem = '';
          child.stderr.setEncoding('utf8').on('data', (text: string) => (problem += text));
          const timer = setTimeout(() => child.kill('SIGKILL'), kills < KILLS ? 400 + Math.random() * 1600 : 120_000);
          const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
          clearTimeout(timer);
          if (code === 0 || code === 3) break;
          if (code !== null) throw new Error(`The run ended with code ${code}: ${problem}`);
          kills++;
          const runs = join(place, '.millrace/runs');
          const [id] = existsSync(runs) ? readdirSync(runs) : [];
          const kept = join(runs, id ?? '');
          const summary = join(kept, 'summary.json');
          if (existsSync(summary) && readFileSync(summary, 'utf8').includes('"outcome": "completed"')) break;
          if (id !== undefined && existsSync(join(kept, 'manifest.json'))) args = ['resume', id];
          else rmSync(join(place, '.millrace'), { recursive: true, force: true });
        }
        const counts =
          'SELECT count(*) AS n, count(DISTINCT id) AS different FROM copies JOIN numbers USING (id, name)';
        expect({ kills, rows: await sql(path, counts) }).toEqual({ kills, rows: [{ n: 9999, different: 9999 }] });
        expect(await sql(path, 'PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
      }
    },
    120_000 + KILLS * 10_000,
  );
});
