/**
 * The CSV half of the list of bad inputs: each with its exact message, or with the rows it gives all the same.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { openCsvReader, type CsvItem, type CsvReaderOptions } from '#lib/connectors/csv/csv-reader.js';
import { fileError } from '#lib/storage/file-errors.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-bad-input-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Options = Omit<CsvReaderOptions, 'path'>;

/** What reading gives, in words: rows as they are, bad rows and errors as their messages without the folder. */
async function outcome(name: string, options: Options): Promise<unknown[]> {
  const words: unknown[] = [];
  const said = (error: unknown): string =>
    error instanceof Error && 'code' in error
      ? `${String(error.code)} ${error.message.replaceAll(`${folder}/`, '')}`
      : String(error);
  try {
    const reader = await openCsvReader({ path: join(folder, name), ...options });
    for (let items = await reader.read(100); items !== null; items = await reader.read(100)) {
      words.push(
        ...items.map((item: CsvItem) =>
          'error' in item ? said(item.error) : [item.line, ...Object.values(item.values)],
        ),
      );
    }
  } catch (error) {
    words.push(said(error));
  }
  return words;
}

const AB: Options = { columns: ['a', 'b'] };
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const megabyte = 'x'.repeat(1_048_576);

interface Case {
  readonly input: string;
  readonly bytes: string | Buffer;
  readonly gives: readonly unknown[];
  readonly options?: Options;
  readonly name?: string;
}

const CASES: readonly Case[] = [
  { input: 'an empty file', bytes: '', gives: ["MILLRACE_CSV f.csv is empty: expected a header row with 'a' and 'b'"] },
  {
    input: 'an empty file, no columns asked for',
    bytes: '',
    options: {},
    gives: ['MILLRACE_CSV f.csv is empty: expected a header row'],
  },
  {
    input: 'only a byte order mark',
    bytes: '\uFEFF',
    options: {},
    gives: ['MILLRACE_CSV f.csv is empty: expected a header row'],
  },
  {
    input: 'only blank lines',
    bytes: '\n \r\n\r',
    options: {},
    gives: ['MILLRACE_CSV f.csv is empty: expected a header row'],
  },
  { input: 'a header only', bytes: 'a,b\n', gives: [] },
  { input: 'a header only, without a line end', bytes: 'a,b', gives: [] },
  {
    input: 'no header',
    bytes: 'F44DBBBC,2023-12-10\nB9EF12A3,2020-12-22\n',
    options: { columns: ['memberId', 'lastTransactionUtcTs'] },
    gives: [
      "MILLRACE_CSV f.csv, line 1: expected a header with 'memberId' and 'lastTransactionUtcTs', got 'F44DBBBC' and '2023-12-10'; " +
        'add a header row, or set the option `header` to false if the file has none',
    ],
  },
  {
    input: 'blanks around the names in the header',
    bytes: ' a , b \n1,2\n',
    options: AB,
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header lacks 'a' and 'b'; it has ' a ' and ' b '. " +
        "Blanks are part of a name: ' a ' and ' b '. Remove them in the file, or set the option `trim` to true",
    ],
  },
  { input: 'no header, and said so', bytes: '1,2\n', options: { ...AB, header: false }, gives: [[1, '1', '2']] },
  { input: 'an empty file that has no header', bytes: '', options: { ...AB, header: false }, gives: [] },
  { input: 'a byte order mark', bytes: '\uFEFFa,b\n1,2\n', gives: [[2, '1', '2']] },
  {
    input: 'UTF-16 with a byte order mark',
    bytes: utf16('\uFEFFa,b\n1,2\n'),
    gives: ["MILLRACE_CSV f.csv is UTF-16: set the option `encoding` to 'utf16le'"],
  },
  {
    input: 'UTF-16 without one',
    bytes: utf16('a,b\n1,2\n'),
    gives: ["MILLRACE_CSV f.csv is UTF-16: set the option `encoding` to 'utf16le'"],
  },
  {
    input: 'UTF-16 BE',
    bytes: utf16('\uFEFFa,b\n').swap16(),
    gives: ["MILLRACE_CSV f.csv is UTF-16 BE: set the option `encoding` to 'utf-16be'"],
  },
  {
    input: 'UTF-16 BE without a byte order mark',
    bytes: utf16('a,b\n').swap16(),
    gives: ["MILLRACE_CSV f.csv is UTF-16 BE: set the option `encoding` to 'utf-16be'"],
  },
  {
    input: 'UTF-16 BE, and said so',
    bytes: utf16('\uFEFFa,b\n1,€😀\n').swap16(),
    options: { ...AB, encoding: 'utf-16be' },
    gives: [[2, '1', '€😀']],
  },
  {
    input: 'UTF-16, and said so',
    bytes: utf16('\uFEFFa,b\n1,€😀\n'),
    options: { ...AB, encoding: 'utf16le' },
    gives: [[2, '1', '€😀']],
  },
  {
    input: 'UTF-16 cut in the middle of a character',
    bytes: utf16('a,b\n1,2\n').subarray(0, -1),
    options: { ...AB, encoding: 'utf16le' },
    gives: [
      'MILLRACE_CSV f.csv is not UTF-16 LE (near byte 15): set the option `encoding` to the encoding of the file',
    ],
  },
  {
    input: 'UTF-8 said to be UTF-16',
    bytes: '\uFEFFa,b\n',
    options: { ...AB, encoding: 'utf16le' },
    gives: ['MILLRACE_CSV f.csv is UTF-8, not UTF-16: leave out the option `encoding`'],
  },
  {
    input: 'Latin-1',
    bytes: Buffer.from('a,b\n1,2\n3,"\n\uFFFD caf\xe9"\n', 'latin1'),
    gives: [
      "MILLRACE_CSV f.csv, line 4: byte 0xFD (byte 12 of the file) is not UTF-8; set the option `encoding` to the encoding of the file, such as 'windows-1252', or convert the file",
    ],
  },
  {
    input: 'one damaged row among rows in UTF-8, behind a U+FFFD that is really there',
    bytes: Buffer.concat([Buffer.from('a,b\n\uFFFDé,2é\n'), Buffer.from('1,caf\xe9\n', 'latin1')]),
    gives: [
      [2, '\uFFFDé', '2é'],
      'MILLRACE_CSV f.csv, line 3: the byte at 19 is not a character of the encoding; set the option `encoding` to the encoding of the file, or correct the row',
    ],
  },
  {
    input: 'Latin-1, and said so',
    bytes: Buffer.from('a,b\n1,caf\xe9\n', 'latin1'),
    options: { ...AB, encoding: 'latin1' },
    gives: [[2, '1', 'café']],
  },
  {
    input: 'UTF-8 said to be Latin-1',
    bytes: '\uFEFFa,b\n',
    options: { ...AB, encoding: 'latin1' },
    gives: ['MILLRACE_CSV f.csv is UTF-8, not windows-1252: leave out the option `encoding`'],
  },
  {
    input: 'a NUL byte',
    bytes: 'a,b\r\n"1\r\n",2\r\n3,\0\r\n',
    gives: [
      [2, '1\r\n', '2'],
      'MILLRACE_CSV f.csv, line 4: a NUL byte (byte 16), which is not text; remove it, or set the option `encoding` to the encoding of the file',
    ],
  },
  {
    input: 'duplicate columns',
    bytes: 'a,b,a,b,c\n',
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header names 'a' and 'b' more than once, so fields would be lost; rename all but one, or name all columns in `columns` and set `header` to 'replace'",
    ],
  },
  {
    input: 'a missing column',
    bytes: '\nid,name\n',
    options: { columns: ['id', 'email', 'names'] },
    gives: [
      "MILLRACE_CSV f.csv, line 2: the header lacks 'email' and 'names'; it has 'id' and 'name'. " +
        "Did you mean 'name' for 'names'? Rename the column in the file or in the option `columns`",
    ],
  },
  {
    input: 'a missing column with nothing near',
    bytes: 'a,revenue\n',
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header lacks 'b'; it has 'a' and 'revenue'. " +
        'Add the column to the file, or take it out of the option `columns`',
    ],
  },
  {
    input: 'a column __proto__',
    bytes: 'a,b,__proto__\n',
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header has a column '__proto__', which no object can hold; rename it, or name all columns in `columns` and set `header` to 'replace'",
    ],
  },
  { input: 'reordered columns', bytes: 'b,a\n2,1\n', gives: [[2, '2', '1']] },
  { input: 'more columns', bytes: 'x,a,b\n0,1,2\n', gives: [[2, '0', '1', '2']] },
  { input: 'columns without a name', bytes: 'a,,b,\n1,x,2,\n', gives: [[2, '1', 'x', '2', '']] },
  {
    input: 'a quote in a bare field of the header',
    bytes: 'a,b"\n',
    gives: [
      'MILLRACE_CSV f.csv, line 1: in the header, field 2 has a quote in it but does not start with one; quote the whole field and double the quotes in it (""), or set the option `relaxQuotes` to true',
    ],
  },
  {
    input: 'too few and too many fields',
    bytes: 'a,b\n1\n1,2,3\n1,2\n',
    gives: [
      'MILLRACE_CSV f.csv, line 2: expected 2 fields, got 1; add what is missing, or set the option `relaxColumnCount` to true',
      'MILLRACE_CSV f.csv, line 3: expected 2 fields, got 3; quote a field that holds the delimiter',
      [4, '1', '2'],
    ],
  },
  {
    input: 'an unclosed quote',
    bytes: 'a,b\n1,2\n3,"4\n5,6\n',
    gives: [
      [2, '1', '2'],
      'MILLRACE_CSV f.csv, line 3: the quote that opens field 2 (\'b\') is never closed; close it, or double it ("") within a quoted field if it is part of the text',
      [4, '5', '6'],
    ],
  },
  {
    input: 'an unclosed quote in a large file',
    bytes: `a,b\n1,"2\n${'3,4\n'.repeat(5000)}`,
    options: { ...AB, maxRowBytes: 1000 },
    gives: [
      'MILLRACE_CSV f.csv, line 2: the quote that opens field 2 (\'b\') is never closed; close it, or double it ("") within a quoted field if it is part of the text',
      ...Array.from({ length: 5000 }, (_, i) => [i + 3, '3', '4']),
    ],
  },
  {
    input: 'a row without an end',
    bytes: `a,b\n${'3,4,'.repeat(50_000)}\n5,6\n`,
    options: { ...AB, maxRowBytes: 100_000 },
    gives: [
      'MILLRACE_CSV f.csv, line 2: the row has 200001 bytes, more than 100000; check its line ends and quotes, or raise the option `maxRowBytes`',
      [3, '5', '6'],
    ],
  },
  {
    input: 'a header without an end',
    bytes: 'x'.repeat(200_000),
    options: { ...AB, maxRowBytes: 100_000 },
    gives: [
      'MILLRACE_CSV f.csv, line 1: the header does not end within 100000 bytes; check its line ends, or raise the option `maxRowBytes`',
    ],
  },
  {
    input: 'a quote in a bare field',
    bytes: 'a,b\n1,2"3\n4,5\n',
    gives: [
      'MILLRACE_CSV f.csv, line 2: field 2 (\'b\') has a quote in it but does not start with one; quote the whole field and double the quotes in it (""), or set the option `relaxQuotes` to true',
      [3, '4', '5'],
    ],
  },
  {
    input: 'text behind a closing quote',
    bytes: 'a,b\n"1\n"x,2\n4,5\n',
    gives: [
      'MILLRACE_CSV f.csv, line 3: field 1 (\'a\') continues after its closing quote; double the quotes in it (""), or set the option `relaxQuotes` to true',
      [4, '4', '5'],
    ],
  },
  {
    input: 'blanks around quotes',
    bytes: 'a,b\n "1",2\n1,"2" \n "3\n3" ,4\n5,6\n',
    gives: [
      "MILLRACE_CSV f.csv, line 2: field 1 ('a') has blanks outside of its quotes; remove them, or set the option `trim` to true",
      "MILLRACE_CSV f.csv, line 3: field 2 ('b') has blanks outside of its quotes; remove them, or set the option `trim` to true",
      "MILLRACE_CSV f.csv, line 4: field 1 ('a') has blanks outside of its quotes; remove them, or set the option `trim` to true",
      [6, '5', '6'],
    ],
  },
  {
    input: 'blanks around quotes, and said so',
    bytes: 'a , b\n "1" ,\t"2" \n 3 , " 4 "\n',
    options: { ...AB, trim: true },
    gives: [
      [2, '1', '2'],
      [3, '3', ' 4 '],
    ],
  },
  {
    input: 'CR only',
    bytes: 'a,b\r1,2\r\r3,4\r',
    gives: [
      [2, '1', '2'],
      [4, '3', '4'],
    ],
  },
  {
    input: 'mixed line ends',
    bytes: 'a,b\r\n1,2\n3,4\r5,6',
    gives: [
      [2, '1', '2'],
      [3, '3', '4'],
      [4, '5', '6'],
    ],
  },
  {
    input: 'line ends in quotes',
    bytes: 'a,b\n"1\n",2\n"\r\n\r","\n"\n5,6\n',
    gives: [
      [2, '1\n', '2'],
      [4, '\r\n\r', '\n'],
      [8, '5', '6'],
    ],
  },
  {
    input: 'blank lines',
    bytes: '\n\na,b\n\r\n1,2\n  \n\t\n3,4\n\n',
    gives: [
      [5, '1', '2'],
      [8, '3', '4'],
    ],
  },
  {
    input: 'fields of white space',
    bytes: 'a,b\n \u00a0, \n,\n\u00a0,x\n',
    gives: [
      [2, ' \u00a0', ' '],
      [3, '', ''],
      [4, '\u00a0', 'x'],
    ],
  },
  {
    input: 'files that were joined, each with a byte order mark',
    bytes: 'a,b\n\uFEFF1,2\n\uFEFF"3","4"\n"\uFEFF5",\uFEFF6\n',
    gives: [
      [2, '1', '2'],
      [3, '3', '4'],
      [4, '\uFEFF5', '\uFEFF6'],
    ],
  },
  {
    input: 'semicolons',
    bytes: 'a;b\n1;2\n',
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header is one column, 'a;b'; did you mean the delimiter ';'? Set the option `delimiter` to ';'",
    ],
  },
  {
    input: 'tabs, no columns asked for',
    bytes: 'a\tb\n1\t2\n',
    options: {},
    gives: [
      "MILLRACE_CSV f.csv, line 1: the header is one column, 'a\tb'; did you mean the delimiter '\\t' (tab)? Set the option `delimiter` to '\\t' (tab)",
    ],
  },
  {
    input: 'semicolons, and said so',
    bytes: 'a;b\n1;2,3\n',
    options: { ...AB, delimiter: ';' },
    gives: [[2, '1', '2,3']],
  },
  {
    input: 'a 1 MB field',
    bytes: `a,b\n1,"${megabyte}"\n${megabyte},2\n`,
    gives: [
      [2, '1', megabyte],
      [3, megabyte, '2'],
    ],
  },
  { input: 'a last line without an end', bytes: 'a,b\n1,2', gives: [[2, '1', '2']] },
  { input: 'a last field that is empty, without an end', bytes: 'a,b\n1,', gives: [[2, '1', '']] },
  {
    input: 'gzip named .csv',
    bytes: gzipSync('a,b\n1,2\n'),
    gives: ['MILLRACE_CSV f.csv is gzip, although its name does not say so: rename it to end in .gz, or unpack it'],
  },
  { input: 'gzip named .csv.gz', name: 'f.csv.gz', bytes: gzipSync('a,b\n1,2\n'), gives: [[2, '1', '2']] },
  {
    input: 'text named .csv.gz',
    name: 'g.csv.gz',
    bytes: 'a,b\n1,2\n',
    gives: [
      'MILLRACE_CSV g.csv.gz is not a valid gzip file (incorrect header check): compress it again, or rename it if it is plain text',
    ],
  },
  {
    input: 'gzip that is cut off',
    name: 'h.csv.gz',
    bytes: gzipSync('a,b\n1,2\n').subarray(0, -9),
    gives: [
      [2, '1', '2'],
      'MILLRACE_CSV h.csv.gz is not a valid gzip file (unexpected end of file): compress it again, or rename it if it is plain text',
    ],
  },
  {
    input: 'an Excel workbook',
    bytes: Buffer.from([0x50, 0x4b, 3, 4, 20, 0, 6, 0]),
    gives: ['MILLRACE_CSV f.csv is a ZIP archive or an Excel workbook, not CSV: unpack it, or save it as CSV'],
  },
];

describe('bad CSV input', () => {
  it.each(CASES)(
    '$input gives its rows or its exact message',
    async ({ bytes, gives, options = AB, name = 'f.csv' }) => {
      await writeFile(join(folder, name), bytes);
      expect(await outcome(name, options)).toEqual(gives);
    },
  );

  it('a folder is refused', async () => {
    await mkdir(join(folder, 'data'));
    expect(await outcome('data', AB)).toEqual(['MILLRACE_FILE Cannot read data: it is a folder; name a file in it']);
  });

  it('a missing file is refused, with the place a relative path leads to', async () => {
    expect(await outcome('none.csv', AB)).toEqual([
      'MILLRACE_FILE Cannot read none.csv: there is no such file; check the path',
    ]);
    await expect(openCsvReader({ path: 'no/such.csv' })).rejects.toThrow(
      `Cannot read no/such.csv: there is no such file; check the path, which leads to ${join(process.cwd(), 'no/such.csv')}`,
    );
  });

  it('a file without permission is refused', async () => {
    const cause = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    const message = 'no permission; give yourself the right to read it, or choose another file';
    expect(fileError('read', 'f.csv', cause)).toMatchObject({
      code: 'MILLRACE_FILE',
      cause,
      message: `Cannot read f.csv: ${message}`,
    });
    // The system lets root read everything.
    if (process.getuid?.() === 0) return;
    await writeFile(join(folder, 'locked.csv'), 'a,b\n');
    await chmod(join(folder, 'locked.csv'), 0);
    expect(await outcome('locked.csv', AB)).toEqual([`MILLRACE_FILE Cannot read locked.csv: ${message}`]);
  });

  /** Makes the file of each kind; false if the account has no right to make it. */
  const kinds: readonly (readonly [kind: string, make: (path: string) => Promise<boolean>])[] = [
    ['a regular file', (path) => written(path)],
    [
      'a link',
      async (path) => {
        await symlink(`${path}.real`, path);
        return written(`${path}.real`);
      },
    ],
    [
      'a second name of a file',
      async (path) => {
        await written(`${path}.real`);
        await link(`${path}.real`, path);
        return true;
      },
    ],
    [
      'a file of another user',
      async (path) => {
        await written(path);
        return chown(path, 12_345, 12_345).then(
          () => true,
          () => false,
        );
      },
    ],
    [
      'a mount of its own',
      async (path) => {
        await written(`${path}.real`);
        await writeFile(path, '');
        try {
          execFileSync('mount', ['--bind', `${path}.real`, path], { stdio: 'ignore' });
          mounts.push(path);
          return true;
        } catch {
          return false;
        }
      },
    ],
  ];
  const mounts: string[] = [];
  const written = (path: string): Promise<boolean> => writeFile(path, 'a,b\n1,2\n').then(() => true);
  afterEach(() => {
    for (const path of mounts.splice(0)) execFileSync('umount', [path]);
  });

  it.each(kinds)('%s is read, and is resumed as the same input', async (kind, make) => {
    const name = `${kind.replaceAll(' ', '-')}.csv`;
    if (!(await make(join(folder, name)))) return;
    expect(await outcome(name, AB)).toEqual([[2, '1', '2']]);
    const reader = await openCsvReader({ path: join(folder, name), ...AB });
    const { version } = reader;
    await reader.close();
    expect(version).toMatchObject({ size: 8 });
    expect(await outcome(name, { ...AB, version })).toEqual([[2, '1', '2']]);
  });

  it('a socket is refused', async () => {
    const server = createServer().listen(join(folder, 'socket'));
    await once(server, 'listening');
    expect(await outcome('socket', AB)).toEqual([
      'MILLRACE_FILE Cannot read socket: it is a socket, or a device that is not there; name a file or a pipe',
    ]);
    await new Promise((resolve) => server.close(resolve));
  });

  it('a device is read to its end, a pipe too, and links that lead in a circle are refused', async () => {
    await symlink('/dev/null', join(folder, 'device'));
    expect(await outcome('device', AB)).toEqual([
      "MILLRACE_CSV device is empty: expected a header row with 'a' and 'b'",
    ]);
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    const writing = writeFile(join(folder, 'pipe'), 'a,b\n1,2\n3\n');
    expect(await outcome('pipe', AB)).toEqual([
      [2, '1', '2'],
      'MILLRACE_CSV pipe, line 3: expected 2 fields, got 1; add what is missing, or set the option `relaxColumnCount` to true',
    ]);
    await writing;
    await symlink('circle', join(folder, 'circle'));
    expect(await outcome('circle', AB)).toEqual([
      'MILLRACE_FILE Cannot read circle: its links lead in a circle; remove one of them',
    ]);
  });

  it.each([
    [
      { delimiter: '::' },
      "Expected `delimiter` of a CSV file to be one character such as ',', ';', '|' or '\\t', got \"::\" (string)",
    ],
    [
      { delimiter: '"' },
      "Expected `delimiter` of a CSV file to be one character such as ',', ';', '|' or '\\t', got \"\\\"\" (string)",
    ],
    [{ maxRowBytes: 0 }, 'Expected `maxRowBytes` of a CSV file to be a whole number from 1 on, got 0 (number)'],
    [
      { header: false },
      'Expected `columns` of a CSV file to be the columns in order, because the file has no header, got [] (array)',
    ],
    [{ columns: ['a', 'a'] }, 'Expected `columns` of a CSV file to be each column once, got ["a"] (array)'],
    [
      { byteRange: { start: 4, end: 8 } },
      'Expected `headerNames` of a CSV file to be the columns of the file, because `byteRange` leaves the header out, got undefined',
    ],
  ])('the options %j are refused', async (options, message) => {
    await expect(openCsvReader({ path: 'f.csv', ...options })).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message,
    });
  });
});
