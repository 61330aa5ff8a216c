/** What a SQLite source and a value of SQLite refuse, because rows or fields would be lost without a word. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask } from 'millrace';
import { sqliteSource } from 'millrace/sqlite';
import { SharedFile } from '#lib/connectors/sqlite/shared-file.js';
import { storedValue } from '#lib/connectors/sqlite/sqlite-value.js';

let folder = '';
let path = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'));
  path = join(folder, 'a.db');
  const file = await SharedFile.open(path);
  file.cursor('CREATE TABLE t (id)').run([]);
  file.close();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function read(query: string, from = path): Promise<unknown[]> {
  const rows: unknown[] = [];
  await defineWorkflow({
    name: 'Read',
    build: (flow) =>
      flow.task('Rows', sqliteSource({ path: from, query })).task(
        'Collect',
        ['Rows'],
        sinkTask((row) => void rows.push(row)),
      ),
  }).run().finished;
  return rows;
}

describe('the query of a source', () => {
  it.each([
    ['two columns of one name', 'SELECT 1 AS a, 2 AS b, 3 AS a', 'two columns "a"'],
    ['a column __proto__', 'SELECT 1 AS "__proto__"', "a column '__proto__'"],
    ['a second statement', 'SELECT 1 AS a; SELECT 2 AS a', 'syntax error'],
    ['a statement that writes', 'INSERT INTO t VALUES (1) RETURNING id', 'syntax error'],
  ])('is refused: %s', async (_, query, message) => {
    await expect(read(query)).rejects.toMatchObject({
      code: 'MILLRACE_SQL',
      message: expect.stringContaining(message),
    });
    expect(await read('SELECT * FROM t')).toEqual([]);
  });

  it('may have columns that look like a second name, a CTE, a comment and a semicolon at its end', async () => {
    expect(await read('SELECT 1 AS a, 2 AS "a:1", 3 AS "`"')).toEqual([{ a: 1, 'a:1': 2, '`': 3 }]);
    expect(await read('WITH one AS (SELECT 1 AS a) SELECT * FROM one ORDER BY a -- the end')).toEqual([{ a: 1 }]);
    expect(await read('SELECT 1 AS a; ')).toEqual([{ a: 1 }]);
  });
});

describe('the file of a source', () => {
  it('that does not exist is refused, and is not made', async () => {
    const absent = join(folder, 'absent.db');
    await expect(read('SELECT 1 AS a', absent)).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    expect(existsSync(absent)).toBe(false);
  });

  it('that is no database is refused as that, not as locked', async () => {
    const text = join(folder, 'text.db');
    writeFileSync(text, 'id,name\n'.repeat(1000));
    await expect(read('SELECT 1 AS a', text)).rejects.toThrow('text.db is no database of SQLite');
  });
});

describe('a value', () => {
  it.each([
    ['a bigint beyond 64 bits, which would be wrapped', 2n ** 63n],
    ['a lone surrogate, which would be replaced', 'a\ud800'],
    ['a NaN within JSON', { a: NaN }],
    ['a Map within JSON', { a: new Map([[1, 2]]) }],
    ['a bigint within JSON', [1n]],
  ])('is refused: %s', (_, value) => {
    expect(() => storedValue(value, "Column 'x'")).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_OUTPUT', message: expect.stringContaining("Column 'x'") }),
    );
  });

  it('at the limits is stored', () => {
    expect(
      [2n ** 63n - 1n, -(2n ** 63n), '\u{1f600}', [1, { a: null }]].map((value) => storedValue(value, 'x')),
    ).toEqual([2n ** 63n - 1n, -(2n ** 63n), '\u{1f600}', '[1,{"a":null}]']);
  });
});
