/**
 * Writing CSV: fast-csv's bytes, nothing under the name before it is whole, and honest failures.
 */
import { access, mkdir, mkdtemp, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeToString } from 'fast-csv';
import fc from 'fast-check';
import { isLong } from '../../support/long.js';
import { openCsvReader } from '#lib/connectors/csv/csv-reader.js';
import { RowFormat } from '#lib/connectors/csv/csv-row-format.js';
import { openCsvWriter, type CsvWriterOptions } from '#lib/connectors/csv/csv-writer.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-writer-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Row = Record<string, unknown>;

async function written(rows: readonly Row[], options: Omit<CsvWriterOptions, 'path'>): Promise<string> {
  const path = join(folder, 'w.csv');
  const writer = await openCsvWriter({ path, ...options });
  await writer.write(rows);
  await writer.finish();
  return readFile(path, 'utf8');
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Any text that CSV in UTF-8 can hold, with plenty of what needs care. */
const cell = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 6 }),
    fc
      .array(fc.constantFrom('"', ',', ';', '\t', '|', '\n', '\r', ' ', "'", '=', 'é', '\uFEFF', '\u00a0', '😀'), {
        maxLength: 5,
      })
      .map((all) => all.join('')),
  )
  .map((text) => text.replaceAll('\0', ''));
const rowsOf = (columns: readonly string[]): fc.Arbitrary<Record<string, string>[]> =>
  fc.array(fc.record(Object.fromEntries(columns.map((column) => [column, cell]))), { maxLength: 12 });

describe('a CSV writer', () => {
  it('writes the header, then the columns of each row in order, each line with its end', async () => {
    expect(await written([{ b: 2, a: 1, c: 3 }, { a: 'x' }], { columns: ['a', 'b'] })).toBe('a,b\n1,2\nx,\n');
    expect(await written([], { columns: ['a', 'b,c'], lineEnd: '\r\n', delimiter: ';' })).toBe('a;b,c\r\n');
  });

  it('writes numbers in full, nothing as an empty field, booleans, big integers and dates as ISO 8601', async () => {
    const values = [0.1 + 0.2, 1e21, -0.000001234, 5e-324, null, undefined, '', true, false, 10n ** 20n, new Date(0)];
    const columns = values.map((_, i) => `c${i}`);
    const row = Object.fromEntries(values.map((value, i) => [`c${i}`, value]));
    expect((await written([row], { columns })).split('\n')[1]).toBe(
      '0.30000000000000004,1e+21,-0.000001234,5e-324,,,,true,false,100000000000000000000,1970-01-01T00:00:00.000Z',
    );
  });

  it('writes nothing for what each object inherits, such as a column constructor', async () => {
    const columns = ['id', 'constructor', 'valueOf', '__proto__'];
    const named = Object.defineProperty({ id: 2, constructor: 'c', valueOf: 3 }, '__proto__', {
      value: 'p',
      enumerable: true,
    });
    class Row {
      readonly id = 4;
    }
    expect(await written([{ id: 1 }, named, new Row() as never], { columns })).toBe(
      'id,constructor,valueOf,__proto__\n1,,,\n2,c,3,p\n4,,,\n',
    );
  });

  it('gives back every double exactly', async () => {
    const path = join(folder, 'doubles.csv');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 20 }), async (numbers) => {
        const writer = await openCsvWriter({ path, columns: ['n'] });
        await writer.write(numbers.map((n) => ({ n })));
        await writer.finish();
        const reader = await openCsvReader({ path });
        const items = (await reader.read(100)) ?? [];
        await reader.close();
        const back = items.map((item) => ('error' in item ? NaN : Number(item.values['n'])));
        // String(-0) is '0'.
        expect(back).toEqual(numbers.map((n) => (n === 0 ? 0 : n)));
      }),
      { numRuns: 100 },
    );
  });

  it('is read back the same, for any text, under any chunk size', async () => {
    const layout = fc.constantFrom(['a'], ['a', 'b'], ['b, "x"', 'é', 'c\nd']);
    const input = layout.chain((columns) => fc.tuple(fc.constant(columns), rowsOf(columns)));
    const style = fc.record({
      delimiter: fc.constantFrom(',', ';', '\t', '|', '^', ']', '\\', '-', ' '),
      lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
    });
    await fc.assert(
      fc.asyncProperty(
        input,
        style,
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        async ([columns, rows], { delimiter, lineEnd }, chunkBytes, isPacked) => {
          const path = join(folder, isPacked ? 'r.csv.gz' : 'r.csv');
          const writer = await openCsvWriter({ path, columns, delimiter, lineEnd });
          await writer.write(rows);
          await writer.finish();
          const reader = await openCsvReader({ path, columns, delimiter, chunkBytes });
          const back: unknown[] = [];
          for (let items = await reader.read(5); items !== null; items = await reader.read(5)) {
            back.push(...items.map((item) => ('error' in item ? item.error.message : item.values)));
          }
          expect(back).toEqual(rows.map((row) => ({ ...row })));
        },
      ),
      { numRuns: isLong ? 400 : 120 },
    );
  });

  it('writes what fast-csv writes', async () => {
    const columns = ['a', 'b', '"c"'];
    const style = fc.record({
      delimiter: fc.constantFrom(',', ';', '\t', '|'),
      lineEnd: fc.constantFrom('\n' as const, '\r\n' as const),
    });
    await fc.assert(
      fc.asyncProperty(rowsOf(columns), style, async (any, { delimiter, lineEnd }) => {
        // fast-csv does not quote a mark at the beginning of a row.
        const rows = any.map((row) => ({ ...row, a: row['a']?.replace(/^\uFEFF+/, '') }));
        const format = new RowFormat({ columns, delimiter, lineEnd, escapeFormulas: false });
        const theirs = await writeToString(rows, {
          headers: columns,
          alwaysWriteHeaders: true,
          delimiter,
          rowDelimiter: lineEnd,
          includeEndRowDelimiter: true,
        });
        expect(format.header + format.text(rows)).toBe(theirs);
      }),
      { numRuns: isLong ? 500 : 150 },
    );
  });

  it('writes an empty field of a single column so that it is no blank line', async () => {
    expect(await written([{ a: '' }, { a: null }, { a: 'x' }], { columns: ['a'] })).toBe('a\n""\n""\nx\n');
  });

  it('writes formulas as they are, unless it is asked to escape them', async () => {
    const rows = [
      { a: '=1+1', b: '@x' },
      { a: '+1', b: '-1' },
      { a: -1, b: 'a=b' },
    ];
    expect(await written(rows, { columns: ['a', 'b'] })).toBe('a,b\n=1+1,@x\n+1,-1\n-1,a=b\n');
    expect(await written(rows, { columns: ['a', 'b'], escapeFormulas: true })).toBe(
      "a,b\n'=1+1,'@x\n'+1,'-1\n-1,a=b\n",
    );
  });

  it.each([
    [{ x: 1 }, 'Expected \'b\' to be a string, number, boolean, valid Date or nothing, got {"x":1} (object)'],
    [new Date(NaN), "Expected 'b' to be a string, number, boolean, valid Date or nothing, got null (object)"],
    [
      'x\0y',
      '\'b\' holds a NUL character or half of a surrogate pair, which CSV in UTF-8 cannot represent: "x\\u0000y" (string)',
    ],
    [
      '\ud83d',
      '\'b\' holds a NUL character or half of a surrogate pair, which CSV in UTF-8 cannot represent: "\\ud83d" (string)',
    ],
  ])('refuses the value %j, which CSV cannot hold', async (value, message) => {
    const writer = await openCsvWriter({ path: join(folder, 'v.csv'), columns: ['a', 'b'] });
    expect(() => writer.write([{ a: 1, b: value }])).toThrow(
      expect.objectContaining({ code: 'MILLRACE_CSV', message }),
    );
    await writer.abandon();
  });

  it('shows nothing under its name before finish, replaces what was there, and leaves no .part', async () => {
    const path = join(folder, 'late.csv');
    await writeFile(path, 'old');
    const writer = await openCsvWriter({ path, columns: ['a'] });
    await writer.write([{ a: 1 }]);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await exists(`${path}.part`)).toBe(true);
    await writer.finish();
    expect(await readFile(path, 'utf8')).toBe('a\n1\n');
    expect(await exists(`${path}.part`)).toBe(false);
    expect(writer.bytesWritten).toBe(4);
    await writer.finish();
    await writer.abandon();
    expect(() => writer.write([{ a: 2 }])).toThrow(`Cannot write ${path}: it is closed already`);
  });

  it('leaves the .part and the old file when it is abandoned', async () => {
    const path = join(folder, 'left.csv');
    await writeFile(path, 'old');
    const writer = await openCsvWriter({ path, columns: ['a'] });
    await writer.write([{ a: 1 }]);
    await writer.abandon();
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await exists(`${path}.part`)).toBe(true);
  });

  it('refuses a second writer of one path, and leaves nothing of its claim behind', async () => {
    const path = join(folder, 'claimed.csv');
    const writer = await openCsvWriter({ path, columns: ['a'] });
    await expect(openCsvWriter({ path, columns: ['a'] })).rejects.toMatchObject({
      code: 'MILLRACE_LOCKED',
      message: `${path}.part is being written by process ${process.pid}. Wait for it to end, stop it, or write to another path`,
    });
    await writer.write([{ a: 1 }]);
    await writer.finish();
    expect(await readFile(path, 'utf8')).toBe('a\n1\n');
    expect(await exists(`${path}.part.owner`)).toBe(false);
  });

  it('takes over from a process that died', async () => {
    const path = join(folder, 'orphan.csv');
    await writeFile(`${path}.part`, 'half a ro');
    await writeFile(`${path}.part.owner`, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), processStart: null }));
    const writer = await openCsvWriter({ path, columns: ['a'] });
    await writer.finish();
    expect(await readFile(path, 'utf8')).toBe('a\n');
  });

  it('never mixes its rows with those of a writer that began on another machine', async () => {
    const path = join(folder, 'mixed.csv');
    const first = await openCsvWriter({ path, columns: ['a'] });
    await first.write([{ a: 'first' }]);
    await writeFile(`${path}.part.owner`, JSON.stringify({ pid: 1, host: 'another', processStart: null }));
    // The one on the other machine is silent.
    await utimes(`${path}.part.owner`, 1, 1);
    const second = await openCsvWriter({ path, columns: ['a'] });
    await second.write([{ a: 'second' }]);
    await first.write([{ a: 'first' }]);
    await expect(first.finish()).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    await second.finish();
    expect(await readFile(path, 'utf8')).toBe('a\nsecond\n');
  });

  it('goes on in a file of its own where the process before it may wake up and write', async () => {
    const path = join(folder, 'ghost.csv');
    const ghost = await openCsvWriter({ path, columns: ['a'] });
    await ghost.write([{ a: 1 }]);
    const from = await ghost.persist();
    await utimes(`${path}.part.owner`, 1, 1);
    const next = await openCsvWriter({ path, columns: ['a'], from });
    await ghost.write([{ a: 'of the ghost' }]);
    await ghost.persist();
    await next.write([{ a: 2 }]);
    await next.persist();
    await ghost.write([{ a: 'of the ghost' }]);
    await expect(ghost.finish()).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    await next.finish();
    expect(await readFile(path, 'utf8')).toBe('a\n1\n2\n');
  });

  it.each(['big.csv', 'big.csv.gz'])(
    'asks to wait only when %s is behind, and counts the bytes of the file',
    async (name) => {
      const path = join(folder, name);
      const writer = await openCsvWriter({ path, columns: ['a', 'b'] });
      expect(writer.write([{ a: 1, b: 2 }])).toBeUndefined();
      const many = Array.from({ length: 20_000 }, (_, i) => ({ a: i, b: 'some text to fill the row' }));
      let waits = 0;
      for (let i = 0; i < 10; i++) {
        const room = writer.write(many);
        if (room !== undefined) waits++;
        await room;
      }
      expect(waits).toBeGreaterThan(0);
      await writer.finish();
      const bytes = await readFile(path);
      expect(writer.bytesWritten).toBe(bytes.length);
      const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
      expect(text.split('\n')).toHaveLength(200_003);
      expect((await stat(path)).isFile()).toBe(true);
    },
  );

  it('refuses a missing folder, a folder as its name, and wrong options before it writes anything', async () => {
    await mkdir(join(folder, 'sub'));
    const refusal = (options: Partial<CsvWriterOptions>): Promise<unknown> =>
      openCsvWriter({ path: join(folder, 'o.csv'), columns: ['a'], ...options }).then(
        () => 'opened',
        (error: unknown) =>
          error instanceof Error && 'code' in error
            ? `${String(error.code)} ${error.message.replaceAll(`${folder}/`, '')}`
            : error,
      );
    expect(await refusal({ path: join(folder, 'no', 'o.csv') })).toBe(
      `MILLRACE_FILE Cannot write no/o.csv: the folder 'no' does not exist; create it first`,
    );
    expect(await refusal({ path: join(folder, 'sub') })).toBe(
      'MILLRACE_FILE Cannot write sub: it is a folder; name a file that may be written in it',
    );
    expect(await refusal({ columns: [] })).toBe(
      'MILLRACE_INVALID_OPTION Expected `columns` of a CSV file to be different names, got [] (array)',
    );
    expect(await refusal({ columns: ['a', 'a'] })).toBe(
      'MILLRACE_INVALID_OPTION Expected `columns` of a CSV file to be different names, got ["a","a"] (array)',
    );
    expect(await exists(join(folder, 'o.csv.part'))).toBe(false);
  });

  it.each(['full.csv', 'full.csv.gz'])(
    'rejects with MILLRACE_FILE and the cause when the disk is full under %s',
    async (name) => {
      // Linux has a device that is always full.
      if (!(await exists('/dev/full'))) return;
      const path = join(folder, name);
      await symlink('/dev/full', path);
      const writer = await openCsvWriter({ path, columns: ['a'] });
      const row = { a: Array.from({ length: 4000 }, () => Math.random()).join(' ') };
      const failing = (async () => {
        for (let i = 0; i < 1000; i++) await writer.write(Array.from({ length: 10 }, () => row));
      })();
      const expected = {
        code: 'MILLRACE_FILE',
        message: `Cannot write ${path}: the disk is full; free some space or choose another place`,
        cause: expect.objectContaining({ code: 'ENOSPC' }),
      };
      await expect(failing).rejects.toMatchObject(expected);
      await expect(writer.finish()).rejects.toMatchObject(expected);
    },
  );

  it('ends a waiting write with MILLRACE_ABORTED when its signal is aborted', async () => {
    const controller = new AbortController();
    const writer = await openCsvWriter({ path: join(folder, 'stop.csv'), columns: ['a'], signal: controller.signal });
    expect(writer.write(Array.from({ length: 100_000 }, (_, a) => ({ a })))).toBeUndefined();
    const room = writer.write([{ a: 1 }]);
    controller.abort(new Error('enough'));
    await expect(Promise.resolve(room)).rejects.toMatchObject({ code: 'MILLRACE_ABORTED', cause: new Error('enough') });
    await writer.abandon();
    await expect(
      openCsvWriter({ path: join(folder, 'stop.csv'), columns: ['a'], signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'MILLRACE_ABORTED' });
  });
});
