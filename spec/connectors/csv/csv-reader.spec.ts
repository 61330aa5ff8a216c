/**
 * Reading CSV as rows: pulled, whatever the chunks, in parts of a file, and let go of at any time.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OpenByteSource } from '#lib/connectors/files/byte-source.js';
import {
  openCsvReader,
  openCsvReaderOn,
  type CsvItem,
  type CsvReader,
  type CsvReaderOptions,
} from '#lib/connectors/csv/csv-reader.js';
import { openFilesIn } from '../../support/open-files.js';
import { RecordScanner } from '#lib/connectors/csv/record-boundaries.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-reader-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: string | Buffer, name = 'f.csv'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function drain(reader: CsvReader, max = 7): Promise<CsvItem[]> {
  const all: CsvItem[] = [];
  for (let items = await reader.read(max); items !== null; items = await reader.read(max)) {
    expect(items.length).toBeGreaterThan(0);
    expect(items.length).toBeLessThanOrEqual(max);
    all.push(...items);
  }
  return all;
}

/** Rows, bad rows and the error that ended the reading, as plain values. */
async function everything(options: CsvReaderOptions): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for (const item of await drain(await openCsvReader(options))) {
      seen.push('error' in item ? { line: item.line, text: item.text, error: item.error.message } : item);
    }
  } catch (error) {
    seen.push(String(error));
  }
  return seen;
}

/** Whether this process still holds the file open; undefined where the system does not say. */
async function isOpen(path: string): Promise<boolean | undefined> {
  return (await openFilesIn(path))?.includes(path);
}

describe('a CSV reader', () => {
  it('gives rows by column name, with the line each starts on, and null from the end on', async () => {
    const reader = await openCsvReader({ path: await fileOf('a,b\n1,"x\ny"\n2,z\n') });
    expect(reader.columns).toEqual(['a', 'b']);
    expect(await drain(reader)).toEqual([
      { number: 0, line: 2, values: { a: '1', b: 'x\ny' } },
      { number: 1, line: 4, values: { a: '2', b: 'z' } },
    ]);
    expect(await reader.read(1)).toBeNull();
  });

  it('gives a bad row with its text as it stands in the file, and goes on', async () => {
    const reader = await openCsvReader({ path: await fileOf('a,b\n1\r\n\n"x\n" y,2\n3,4\n') });
    const items = await drain(reader);
    expect(items.map((item) => ('error' in item ? [item.line, item.text] : item.values))).toEqual([
      [2, '1'],
      [4, '"x\n" y,2'],
      { a: '3', b: '4' },
    ]);
  });

  it('gives the same, errors included, whatever the chunks', async () => {
    const part = fc.constantFrom(
      'a',
      '1',
      ',',
      ',',
      ',',
      '"',
      '"b"',
      '""',
      '\n',
      '\r',
      '\r\n',
      ' ',
      '\t',
      '\u00a0',
      '\uFEFF',
      'é',
      '😀',
    );
    const text = fc.array(part, { maxLength: 50 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 30 }), async (body, chunkBytes) => {
        const path = await fileOf(`a,b\n${body}`);
        expect(await everything({ path, chunkBytes })).toEqual(await everything({ path }));
      }),
      { numRuns: 500 },
    );
  });

  it('loses no record: every record of the file is a row or a bad row', async () => {
    const part = fc.constantFrom(
      'a',
      '1',
      ',',
      ',',
      '"b"',
      '"c\nd"',
      '\n',
      '\n',
      '\r\n',
      ' ',
      '\u00a0',
      '\uFEFF',
      'é"',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 60 }), async (parts) => {
        const path = await fileOf(`a,b\n${parts.join('')}\n`);
        const bytes = Buffer.from(`${parts.join('')}\n`);
        const records = new RecordScanner({ line: 2 }).scan(bytes).filter((span) => {
          const text = bytes.subarray(span.start, span.textEnd).toString();
          return !/^[ \t]*$/.test(text);
        });
        const items = await drain(await openCsvReader({ path, chunkBytes: 16 }));
        expect(items.map((item) => item.line)).toEqual(records.map((span) => span.line));
        for (const [i, item] of items.entries()) {
          if ('error' in item) expect(item.error.message).not.toMatch(/fast-csv/);
          else expect(records[i]).toMatchObject({ fields: 2, fault: undefined });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives back every field as it was written, with and without quotes', async () => {
    const bare = fc
      .array(fc.constantFrom('a', '1', ' ', '\t', '\u00a0', '\uFEFF', 'é', '😀', "'"), { maxLength: 4 })
      .map((parts) => parts.join(''));
    const quoted = fc
      .array(fc.constantFrom('a', ' ', ',', '"', '\n', '\r', '\r\n', 'é'), { maxLength: 4 })
      .map((parts) => parts.join(''));
    const field = fc.oneof(
      bare.map((text) => ({ text, written: text })),
      quoted.map((text) => ({ text, written: `"${text.replaceAll('"', '""')}"` })),
    );
    // A bare byte order mark at the beginning of a row is no part of it.
    const first = field.filter(({ written }) => !written.startsWith('\uFEFF'));
    const rows = fc.array(fc.tuple(first, field), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(rows, fc.constantFrom('\n', '\r\n', '\r'), async (written, lineEnd) => {
        const lines = written.map(([a, b]) => `${a.written},${b.written}${lineEnd}`);
        const path = await fileOf(`a,b${lineEnd}${lines.join('')}`);
        const items = await drain(await openCsvReader({ path }));
        expect(items.map((item) => ('error' in item ? item.error : item.values))).toEqual(
          written.map(([a, b]) => ({ a: a.text, b: b.text })),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('reads characters that lie across chunks', async () => {
    const path = await fileOf('a,b\né,😀€\n');
    for (let chunkBytes = 1; chunkBytes < 12; chunkBytes++) {
      expect(await everything({ path, chunkBytes })).toEqual([{ number: 0, line: 2, values: { a: 'é', b: '😀€' } }]);
    }
    const wide = await fileOf(Buffer.from('a,b\né,😀€\n', 'utf16le'), 'wide.csv');
    for (let chunkBytes = 1; chunkBytes < 12; chunkBytes++) {
      expect(await everything({ path: wide, chunkBytes, encoding: 'utf16le' })).toEqual([
        { number: 0, line: 2, values: { a: 'é', b: '😀€' } },
      ]);
    }
  });

  it('unpacks .csv.gz as it goes, also one of several members', async () => {
    const path = await fileOf(Buffer.concat([gzipSync('a,b\n1,2\n'), gzipSync('3,4\n')]), 'm.csv.gz');
    expect((await everything({ path, chunkBytes: 5 })).length).toBe(2);
  });

  it('reads a part of a file, with the lines of the whole', async () => {
    const text = 'a,b\n"1\n",2\n3,4\r\n\n5,6\n7,8';
    const path = await fileOf(text);
    const whole = await everything({ path });
    const [header, ...records] = (() => {
      const scanner = new RecordScanner();
      const spans = scanner.scan(Buffer.from(text));
      const last = scanner.finish();
      return last === undefined ? spans : [...spans, last];
    })();
    expect(header?.line).toBe(1);
    for (const cut of records) {
      const ranges = [
        { start: header?.end ?? 0, end: cut.start, line: 2 },
        { start: cut.start, end: Buffer.byteLength(text), line: cut.line },
      ];
      const parts = await Promise.all(
        ranges.map(({ start, end, line }) =>
          everything({ path, byteRange: { start, end }, headerNames: ['a', 'b'], startLine: line, chunkBytes: 3 }),
        ),
      );
      // Each reader numbers what it is given to read.
      const numbered = parts.flat().map((row, number) => ({ ...(row as object), number }));
      expect(numbered).toEqual(whole);
    }
  });

  it('does not read on while nobody asks', async () => {
    const chunks = [Buffer.from('a,b\n'), ...Array.from({ length: 100 }, () => Buffer.from('1,2\n'.repeat(25)))];
    let pulled = 0;
    const source = new OpenByteSource({
      pull: () => Promise.resolve(chunks[pulled++] ?? null),
      close: () => Promise.resolve(),
      version: undefined,
    });
    const reader = await openCsvReaderOn(source, { path: 'pulled.csv' });
    expect(await reader.read(1)).toHaveLength(1);
    const before = pulled;
    await new Promise((resolve) => setImmediate(resolve));
    expect(pulled).toBe(before);
    expect(before).toBeLessThan(4);
    expect(await drain(reader, 1000)).toHaveLength(2499);
  });

  it('gives the same error again, and lets the file go at the first', async () => {
    const path = await fileOf(gzipSync('a,b\n1,2\n').subarray(0, -9), 'cut.csv.gz');
    const reader = await openCsvReader({ path });
    expect(await reader.read(1)).toHaveLength(1);
    const [one, two] = [await reader.read(1).catch((e: unknown) => e), await reader.read(1).catch((e: unknown) => e)];
    expect(one).toBe(two);
    expect(one).toMatchObject({ code: 'MILLRACE_CSV' });
    expect(await isOpen(path)).not.toBe(true);
  });

  it.each(['f.csv', 'f.csv.gz'])(
    'lets %s go at the end, at a close in the middle, during a read, and when it is refused',
    async (name) => {
      const rows = `a,b\n${'1,2\n'.repeat(50_000)}`;
      const path = await fileOf(name.endsWith('.gz') ? gzipSync(rows) : rows, name);
      await drain(await openCsvReader({ path }), 5000);
      expect(await isOpen(path)).not.toBe(true);
      const middle = await openCsvReader({ path });
      await middle.read(1);
      expect(await isOpen(path)).not.toBe(false);
      await middle.close();
      await middle.close();
      expect(await middle.read(1)).toBeNull();
      const during = await openCsvReader({ path, chunkBytes: 64 });
      await during.read(1000);
      const reading = during.read(1000);
      await during.close();
      await reading;
      expect(await during.read(1)).toBeNull();
      await expect(openCsvReader({ path, columns: ['none'] })).rejects.toThrow();
      expect(await isOpen(path)).not.toBe(true);
    },
  );

  it('ends with MILLRACE_ABORTED when its signal is aborted, and lets the file go', async () => {
    const path = await fileOf(`a,b\n${'1,2\n'.repeat(1000)}`);
    const controller = new AbortController();
    const reader = await openCsvReader({ path, chunkBytes: 64, signal: controller.signal });
    await reader.read(100);
    const reading = reader.read(100);
    controller.abort(new Error('enough'));
    await expect(reading).rejects.toMatchObject({ code: 'MILLRACE_ABORTED', cause: new Error('enough') });
    await reader.close();
    expect(await isOpen(path)).not.toBe(true);
    await expect(openCsvReader({ path, signal: controller.signal })).rejects.toMatchObject({
      code: 'MILLRACE_ABORTED',
    });
  });

  it('knows a single column by any name that was asked for', async () => {
    const path = await fileOf('a;b\n \n\u00a0\n""\nx\n');
    const items = await drain(await openCsvReader({ path, columns: ['a;b'] }));
    expect(items.map((item) => ('error' in item ? item.error : item.values['a;b']))).toEqual([' ', '\u00a0', '', 'x']);
  });
});
