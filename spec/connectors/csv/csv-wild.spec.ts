/**
 * CSV files as they occur: every option of the format, and every bad spot with what it costs. Each gives the same in
 * every way of reading: whole, in small chunks, compressed, in parts, in shares, and from the middle.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isLong } from '../../support/long.js';
import { OpenByteSource } from '#lib/connectors/files/byte-source.js';
import { encodingOf } from '#lib/connectors/files/text-encoding.js';
import {
  openCsvReader,
  openCsvReaderOn,
  type CsvItem,
  type CsvPoint,
  type CsvReader,
  type CsvReaderOptions,
} from '#lib/connectors/csv/csv-reader.js';
import { planParts } from '#lib/connectors/csv/plan-parts.js';
import { csvSource, type CsvSourceOptions } from '#lib/connectors/csv/index.js';
import { defineWorkflow, sinkTask } from '#lib/index.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csv-wild-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Options = Omit<CsvReaderOptions, 'path'>;

async function drain(reader: CsvReader): Promise<CsvItem[]> {
  const all: CsvItem[] = [];
  for (let items = await reader.read(3); items !== null; items = await reader.read(3)) all.push(...items);
  return all;
}

/** A row as its line and values, a bad row as its line, message and text. */
function plain(item: CsvItem): unknown {
  if (!('error' in item)) return [item.line, item.values];
  return [item.line, item.error.message.replace(/^.*f\.csv(?:\.gz)?, /, ''), item.text];
}

async function rowsOf(options: CsvReaderOptions): Promise<unknown[]> {
  try {
    return (await drain(await openCsvReader(options))).map(plain);
  } catch (error) {
    return [(error as Error).message.replace(/^.*f\.csv(?:\.gz)?,? /, '')];
  }
}

/** The rows, after a check that every way of reading gives the same. */
async function everyWay(bytes: Buffer, options: Options, chunks: readonly number[] = [1, 7, 64]): Promise<unknown[]> {
  const path = join(folder, 'f.csv');
  await writeFile(path, bytes);
  const rows = await rowsOf({ path, ...options });
  for (const chunkBytes of chunks) expect(await rowsOf({ path, ...options, chunkBytes })).toEqual(rows);
  await writeFile(`${path}.gz`, gzipSync(bytes));
  expect(await rowsOf({ path: `${path}.gz`, ...options, chunkBytes: 5 })).toEqual(rows);
  if (typeof rows[0] === 'string' || encodingOf(options.encoding ?? 'utf8')?.isConverted === true) return rows;

  const { header: _, fromLine: __, ...rest } = options;
  for (const partBytes of [1, 30]) {
    const { columns, delimiter, version, parts } = await planParts({ path, ...options }, bytes.length, partBytes);
    const found: unknown[] = [];
    for (const { start, end, line, rows: before } of parts) {
      expect(before).toBe(found.length);
      const range = { byteRange: { start, end }, headerNames: columns, startLine: line, delimiter, version };
      found.push(...(await rowsOf({ path, ...rest, ...range, chunkBytes: 11 })));
    }
    expect(found).toEqual(rows);
  }

  const reader = await openCsvReader({ path, ...options, chunkBytes: 16 });
  const points: CsvPoint[] = [];
  for (let number = 0; (await reader.read(1)) !== null;) {
    const point = reader.pointBefore(++number);
    if (point !== undefined) points.push(point);
  }
  const [column] = reader.columns;
  for (const point of points.slice(0, 12)) {
    const { start, line, columns, delimiter } = point;
    const range = { byteRange: { start, end: Infinity }, headerNames: columns, startLine: line, delimiter };
    expect(await rowsOf({ path, ...rest, ...range })).toEqual(rows.slice(point.rows));
  }

  const shared: CsvItem[] = [];
  for (const index of [0, 1, 2]) {
    if (column === undefined || column === '') break;
    shared.push(...(await drain(await openCsvReader({ path, ...options, share: { column, index, of: 3 } }))));
  }
  shared.sort((one, other) => one.number - other.number);
  if (column !== undefined && column !== '') expect(shared.map(plain)).toEqual(rows);
  return rows;
}

const CLOSE = 'close it, or double it ("") within a quoted field if it is part of the text';
const lost = (line: number, field: number, name: string): string =>
  `line ${line}: the quote that opens field ${field} ('${name}') is never closed; ${CLOSE}`;

const tooLong = (line: number, bytes: number, most = 40): string =>
  `line ${line}: the row has ${bytes} bytes, more than ${most}; check its line ends and quotes, or raise the option \`maxRowBytes\``;

const CASES: readonly [what: string, text: string | Buffer, options: Options, rows: readonly unknown[]][] = [
  ['the delimiter that Excel declares', 'sep=;\r\na;b\r\n1;2,5\r\n', {}, [[3, { a: '1', b: '2,5' }]]],
  ['it, given as well', '\uFEFFSEP=;\na;b\n1;2\n', { delimiter: ';', columns: ['a', 'b'] }, [[3, { a: '1', b: '2' }]]],
  ['a tab, declared', 'sep=\t\na\tb\n1\t2\n', {}, [[3, { a: '1', b: '2' }]]],
  ['it, without a header', 'sep=|\n1|2\n', { header: false, columns: ['a', 'b'] }, [[2, { a: '1', b: '2' }]]],
  [
    'another delimiter than the declared',
    'sep=;\na;b\n',
    { delimiter: ',' },
    [
      "line 1: the file declares the delimiter ';', and the option `delimiter` is ','; leave the option out, or set it to that of the file",
    ],
  ],
  ['a header like a declaration', 'sep=;\n1\n', { delimiter: ',', columns: ['sep=;'] }, [[2, { 'sep=;': '1' }]]],
  [
    'columns without a name',
    ',a,,column3\n1,2,3,4\n',
    {},
    [[2, { column1: '1', a: '2', column3_: '3', column3: '4' }]],
  ],
  [
    'delimiters at the ends of rows',
    'a,b\n1,2,\n3,4,,\n5,6,x\n7\n',
    { relaxColumnCount: true },
    [
      [2, { a: '1', b: '2' }],
      [3, { a: '3', b: '4' }],
      [4, 'line 4: expected 2 fields, got 3; quote a field that holds the delimiter', '5,6,x'],
      [5, { a: '7', b: '' }],
    ],
  ],
  [
    'them, without the option',
    'a,b\n1,2,\n',
    {},
    [
      [
        2,
        'line 2: expected 2 fields, got 3, and the additional ones are empty; remove the delimiters at the end, or set the option `relaxColumnCount` to true',
        '1,2,',
      ],
    ],
  ],
  [
    'a NUL byte in a bare field and in a quoted one',
    'a,b\n1\0,2\n"3\n\0",4\n5,6\n',
    {},
    [
      [
        2,
        'line 2: a NUL byte (byte 5), which is not text; remove it, or set the option `encoding` to the encoding of the file',
        '1\0,2',
      ],
      [
        3,
        'line 4: a NUL byte (byte 12), which is not text; remove it, or set the option `encoding` to the encoding of the file',
        '"3\n\0",4',
      ],
      [5, { a: '5', b: '6' }],
    ],
  ],
  [
    'NUL bytes at the end, as after a loss of power',
    Buffer.concat([Buffer.from('a,b\n1,2\n'), Buffer.alloc(3000)]),
    { maxRowBytes: 1000 },
    [
      [2, { a: '1', b: '2' }],
      [
        3,
        'line 3: a NUL byte (byte 8), which is not text; remove it, or set the option `encoding` to the encoding of the file',
        `${'\0'.repeat(1000)}…`,
      ],
    ],
  ],
  [
    'a huge field, bare and quoted',
    `a,b\n1,${'x'.repeat(3000)}\n2,"${'y\n'.repeat(2000)}"\n3,4\n`,
    { maxRowBytes: 1000 },
    [
      [
        2,
        'line 2: the row has 3003 bytes, more than 1000; check its line ends and quotes, or raise the option `maxRowBytes`',
        expect.stringMatching(/^1,x{998}…$/),
      ],
      [
        3,
        'line 3: the row has 4005 bytes, more than 1000; check its line ends and quotes, or raise the option `maxRowBytes`',
        expect.stringMatching(/^2,"[y\n]{997}…$/),
      ],
      [2004, { a: '3', b: '4' }],
    ],
  ],
  [
    'a stray quote, closed by the quote of a later row',
    'a,b,c\n1,"x,1\n2,y,2\n3,"z, z",3\n4,"w\nw",4\n',
    {},
    [
      [2, lost(2, 2, 'b'), '1,"x,1'],
      [3, { a: '2', b: 'y', c: '2' }],
      [4, { a: '3', b: 'z, z', c: '3' }],
      [5, { a: '4', b: 'w\nw', c: '4' }],
    ],
  ],
  [
    'a stray quote, never closed',
    'a,b,c\n1,y,1\n2,"x,2\r\n3,y,3\r\n4,"",4\r\n',
    {},
    [
      [2, { a: '1', b: 'y', c: '1' }],
      [3, lost(3, 2, 'b'), '2,"x,2'],
      [4, { a: '3', b: 'y', c: '3' }],
      [5, { a: '4', b: '', c: '4' }],
    ],
  ],
  [
    'stray quotes, one after the other',
    'a,b\n"1,1\n"2,2\n3,"3\n4,4\n',
    {},
    [
      [
        2,
        'line 3: field 1 (\'a\') continues after its closing quote; double the quotes in it (""), or set the option `relaxQuotes` to true',
        '"1,1\n"2,2',
      ],
      [4, lost(4, 2, 'b'), '3,"3'],
      [5, { a: '4', b: '4' }],
    ],
  ],
  [
    'a stray quote over more than the longest row',
    `a,b\n1,"x\n${'2,y\n'.repeat(30)}`,
    { maxRowBytes: 40 },
    [[2, lost(2, 2, 'b'), '1,"x'], ...Array.from({ length: 30 }, (_, i) => [i + 3, { a: '2', b: 'y' }])],
  ],
  [
    'a stray quote in a line that is longer than a row may be, never closed',
    `a,b\n1,"${'x'.repeat(100)}\r\n2,y\r\n3,z\n`,
    { maxRowBytes: 40 },
    [
      [2, tooLong(2, 105), expect.stringMatching(/^1,"x{37}…$/)],
      [3, { a: '2', b: 'y' }],
      [4, { a: '3', b: 'z' }],
    ],
  ],
  [
    'a stray quote at the end of such a line, closed by the quote of a later row, and another one',
    `a,b\n1,${'x'.repeat(100)},"\n2,y\n\n3,"z\nz"\n4,"${'x'.repeat(60)}\n5,z\n6,"z, z"\n`,
    { maxRowBytes: 40 },
    [
      [2, tooLong(2, 105), expect.stringMatching(/^1,x{38}…$/)],
      [3, { a: '2', b: 'y' }],
      [5, { a: '3', b: 'z\nz' }],
      [7, tooLong(7, 64), expect.stringMatching(/^4,"x{37}…$/)],
      [8, { a: '5', b: 'z' }],
      [9, { a: '6', b: 'z, z' }],
    ],
  ],
  [
    'a long text whose closing quote is missing, with another line that is too long in it',
    `a,b\n1,2\n2,"${'once\nupon a time\n'.repeat(8)}${'x'.repeat(70)}\n${'the end\n'.repeat(4)}3,z\n4,z\n5,z\n`,
    { maxRowBytes: 60 },
    [
      [2, { a: '1', b: '2' }],
      [3, tooLong(3, 242, 60), expect.stringMatching(/^2,"once\n/)],
      [24, { a: '3', b: 'z' }],
      [25, { a: '4', b: 'z' }],
      [26, { a: '5', b: 'z' }],
    ],
  ],
  [
    'a long text that is quoted as it should be, with lines like rows at its end',
    `a,b\n1,"${'x'.repeat(100)}\n${'text\n'.repeat(60)}2,y\n3,z\n4,"\n5,6\n`,
    { maxRowBytes: 60 },
    [
      [2, tooLong(2, 416, 60), expect.anything()],
      [66, { a: '5', b: '6' }],
    ],
  ],
  [
    'prose with a quote that is not doubled, which is no row by its lines',
    'a,b,c\n1,"He said\n"yes" to all\nof it",2\n3,4,5\n',
    {},
    [
      [
        2,
        'line 3: field 2 (\'b\') continues after its closing quote; double the quotes in it (""), or set the option `relaxQuotes` to true',
        '1,"He said\n"yes" to all',
      ],
      [
        4,
        'line 4: field 1 (\'a\') has a quote in it but does not start with one; quote the whole field and double the quotes in it (""), or set the option `relaxQuotes` to true',
        'of it",2',
      ],
      [5, { a: '3', b: '4', c: '5' }],
    ],
  ],
  [
    'wrong quotes, taken as they are',
    'a,b\n5" pipe,"He" said\n"a ""b"" c"d,"x,y"\n "q",""\n',
    { relaxQuotes: true },
    [
      [2, { a: '5" pipe', b: '"He" said' }],
      [3, { a: '"a ""b"" c"d', b: 'x,y' }],
      [4, { a: ' "q"', b: '' }],
    ],
  ],
  [
    'a stray quote among them',
    'a,b,c\n1,"x,1\n2,y,2\n3,"z",3\n',
    { relaxQuotes: true },
    [
      [2, lost(2, 2, 'b'), '1,"x,1'],
      [3, { a: '2', b: 'y', c: '2' }],
      [4, { a: '3', b: 'z', c: '3' }],
    ],
  ],
  [
    'quotes escaped by a backslash',
    'a,b\n"x\\"y","\\\\"\n"\\n\n","p""q"\n\\",\\\n',
    { escape: '\\' },
    [
      [2, { a: 'x"y', b: '\\' }],
      [3, { a: '\\n\n', b: 'p"q' }],
      [
        5,
        'line 5: field 1 (\'a\') has a quote in it but does not start with one; quote the whole field and double the quotes in it (""), or set the option `relaxQuotes` to true',
        '\\",\\',
      ],
    ],
  ],
  ['other quotes', "a,b\n'x,''y',\"1\n", { quote: "'" }, [[2, { a: "x,'y", b: '"1' }]]],
  ['no quotes', 'a\tb\n"x\t1"\n', { quote: false, delimiter: '\t' }, [[2, { a: '"x', b: '1"' }]]],
  [
    'comments',
    '# a "comment, with\n#\na,b\n#1,2\n1,#2\n"3\n#4",5\n##\n',
    { comment: '#' },
    [
      [5, { a: '1', b: '#2' }],
      [6, { a: '3\n#4', b: '5' }],
    ],
  ],
  [
    'comments of two characters',
    '// c\r\na,b\r\n//\r\n/1,2\r\n/',
    { comment: '//' },
    [
      [4, { a: '/1', b: '2' }],
      [5, 'line 5: expected 2 fields, got 1; add what is missing, or set the option `relaxColumnCount` to true', '/'],
    ],
  ],
  ['lines before the header', 'Report "x\r\nof today\r\na,b\r\n1,2\r\n', { fromLine: 3 }, [[4, { a: '1', b: '2' }]]],
  ['fewer lines than that', 'a,b\n1,2\n', { fromLine: 9 }, ['has nothing from line 9 on: expected a header row']],
  [
    'lines instead of the header',
    'a,a\n1,2\n',
    { fromLine: 2, header: false, columns: ['x', 'y'] },
    [[2, { x: '1', y: '2' }]],
  ],
  [
    'a header with a name twice, replaced',
    'id,amount,amount\n1,2,3\n',
    { header: 'replace', columns: ['id', 'net', 'gross'] },
    [[2, { id: '1', net: '2', gross: '3' }]],
  ],
  [
    'a column left out',
    'id,amount,amount\n1,2,3\n',
    { header: 'replace', columns: ['id', '', 'gross'] },
    [[2, { id: '1', gross: '3' }]],
  ],
  [
    'too few names for a header',
    'id,amount,amount\n1,2,3\n',
    { header: 'replace', columns: ['id', 'net'] },
    [
      "line 1: the header has 3 columns, 'id', 'amount' and 'amount', and `columns` are 2 to replace them; name each column, or write '' for one to leave out",
    ],
  ],
  [
    'blanks around fields',
    'a , "b" \n 1 ,\t"2 " \n  ,x y\n',
    { trim: true },
    [
      [2, { a: '1', b: '2 ' }],
      [3, { a: '', b: 'x y' }],
    ],
  ],
  [
    'blanks in the header',
    'id, name\n1,2\n',
    { columns: ['id', 'name'] },
    [
      "line 1: the header lacks 'name'; it has 'id' and ' name'. Blanks are part of a name: ' name'. Remove them in the file, or set the option `trim` to true",
    ],
  ],
  ['a delimiter in the quoted name of a column', '"a;b"\n1\n', { delimiter: ',' }, [[2, { 'a;b': '1' }]]],
  [
    'quoted names with another delimiter',
    '"a";"b"\n"1";"2"\n',
    {},
    [
      "line 1: in the header, another delimiter follows the first name; did you mean ';'? Set the option `delimiter` to it",
    ],
  ],
  [
    'windows-1252 under the label latin1',
    Buffer.from('a,b\n\x80 \x93q\x94,\xe9\n"\x96",\x81\n', 'latin1'),
    { encoding: 'latin1' },
    [
      [2, { a: '€ “q”', b: 'é' }],
      [3, { a: '–', b: '\x81' }],
    ],
  ],
  ['Cyrillic', Buffer.from('a,b\n\xd0\xcf,1\n', 'latin1'), { encoding: 'KOI8-R' }, [[2, { a: 'по', b: '1' }]]],
  [
    'Japanese, whose second bytes may be delimiters',
    Buffer.from('a|b\n\x83\x7c\x81\x7c|1\n', 'latin1'),
    { encoding: 'shift_jis', delimiter: '|' },
    [[2, { a: 'ポ－', b: '1' }]],
  ],
  ['Chinese', Buffer.from('a,b\n\xc4\xe3,1\n', 'latin1'), { encoding: 'gb18030' }, [[2, { a: '你', b: '1' }]]],
  [
    'a byte without a character',
    Buffer.from('a,b\n1,2\n\xd2,x\n', 'latin1'),
    { encoding: 'iso-8859-7' },
    [
      [2, { a: '1', b: '2' }],
      [
        3,
        'line 3: the byte at 8 is not a character of the encoding; set the option `encoding` to the encoding of the file, or correct the row',
        '\uFFFD,x',
      ],
    ],
  ],
  [
    'one damaged row among others in UTF-8',
    Buffer.concat([Buffer.from('a,b\né,ü\n'), Buffer.from('\xff,2\n', 'latin1'), Buffer.from('3,4\n')]),
    {},
    [
      [2, { a: 'é', b: 'ü' }],
      [
        3,
        'line 3: the byte at 10 is not a character of the encoding; set the option `encoding` to the encoding of the file, or correct the row',
        '\uFFFD,2',
      ],
      [4, { a: '3', b: '4' }],
    ],
  ],
];

describe('a CSV file of the wild', () => {
  it.each(CASES)('with %s gives its rows in every way of reading', async (_, text, options, rows) => {
    expect(await everyWay(Buffer.from(text), options)).toEqual(rows);
  });

  it('costs one row per stray quote, of 2,000 rows', async () => {
    const lines = Array.from({ length: 2000 }, (_, i) =>
      i === 3 ? `${i},"oops,${i}` : i === 900 ? `${i},"fine, quoted",${i}` : `${i},plain,${i}`,
    );
    const rows = await everyWay(Buffer.from(`id,text,n\n${lines.join('\n')}\n`), {}, [333]);
    expect(rows).toHaveLength(2000);
    expect(rows.filter((row) => (row as unknown[]).length === 3)).toEqual([[5, lost(5, 2, 'text'), '3,"oops,3']]);
  });

  it('keeps 1 KiB of 10 MB of NUL bytes', async () => {
    let left = 160;
    const source = new OpenByteSource({
      pull: () => Promise.resolve(left-- === 160 ? Buffer.from('a\n') : left < 0 ? null : Buffer.alloc(65_536)),
      close: () => Promise.resolve(),
      version: undefined,
    });
    const [item] = await drain(await openCsvReaderOn(source, { path: 'f.csv', maxRowBytes: 4096 }));
    expect(item !== undefined && 'error' in item && item.text.length).toBe(1025);
  });

  it('names the line of a row that is too long by its allowed bytes, however they arrive', async () => {
    const bytes = Buffer.from(`a,b\n"c\nd"${'x'.repeat(70)},"`);
    const [row] = await everyWay(bytes, { columns: ['a'], maxRowBytes: 60 }, [1, 5, 64]);
    expect(row).toEqual([2, expect.stringMatching(/^line 2: the row has 77 bytes, more than 60;/), expect.anything()]);
  });

  it('passes over a comment that is longer than a row may be, also in front of the header', async () => {
    const comment = `#${'x'.repeat(70)}`;
    const bytes = Buffer.from(`${comment}\na,b\n${comment}\n1\n2,3\n`);
    const rows = await everyWay(bytes, { comment: '#', maxRowBytes: 60 }, [1, 5, 64]);
    expect(rows).toEqual([
      [4, expect.stringMatching(/^line 4: expected 2 fields, got 1;/), '1'],
      [5, { a: '2', b: '3' }],
    ]);
  });

  it('gives the same in every way of reading, whatever its bytes and options', async () => {
    const part = fc.constantFrom(
      ...['a', '1', ',', ',', ',', '"', '"', '"b"', '""', '"c\nd"', '\\', '\\"', '#', '\n', '\n', '\n', '\r\n', '\r'],
      ...[' ', '\t', '\uFEFF', 'é', '\0', '1,2\n', '3,4\n', 'x'.repeat(70)],
    );
    const text = fc.array(part, { maxLength: 40 }).map((parts) => parts.join(''));
    const options = fc.record(
      {
        escape: fc.constant('\\'),
        comment: fc.constantFrom('#', '#1'),
        trim: fc.boolean(),
        relaxQuotes: fc.boolean(),
        relaxColumnCount: fc.boolean(),
        maxRowBytes: fc.constant(60),
        quote: fc.constantFrom(false as const, "'"),
        encoding: fc.constantFrom('latin1', 'iso-8859-7'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(text, options, fc.integer({ min: 1, max: 90 }), async (body, chosen, chunkBytes) => {
        await everyWay(Buffer.from(`a,b\n${body}`), { ...chosen, columns: ['a'] }, [chunkBytes]);
      }),
      { numRuns: isLong ? 300 : 100 },
    );
  }, 120_000);
});

describe('csvSource', () => {
  it.each(['one thread', 'threads', 'gzip'])('loses one row by a stray quote in a long line: %s', async (way) => {
    const name = way === 'gzip' ? 'long-line.csv.gz' : 'long-line.csv';
    const path = join(folder, name);
    const rows = Array.from({ length: 3000 }, (_, i) => (i === 700 ? `${i},"${'x'.repeat(9000)}` : `${i},row ${i}`));
    const bytes = Buffer.from(`id,text\n${rows.join('\n')}\n`);
    await writeFile(path, way === 'gzip' ? gzipSync(bytes) : bytes);
    const read: string[] = [];
    const letters: string[] = [];
    const keep = sinkTask<{ id: string }>((row) => void read.push(row.id));
    const partitions = way === 'threads' ? 3 : 1;
    const rowsTask = csvSource<{ id: string }>({ path, maxRowBytes: 4000, partitions });
    const flow = defineWorkflow({
      name: 'Read',
      build: (it) => it.task('Rows', rowsTask).task('Keep', ['Rows'], keep),
    });
    const run = flow.run(undefined, { threads: way === 'threads' ? 2 : 0 });
    run.events$.subscribe((event) => {
      if (event.type === 'dead-letter') letters.push(event.letter.message);
    });
    await run.finished;
    expect(letters).toEqual([expect.stringContaining('line 702: the row has 9006 bytes')]);
    expect(new Set(read).size).toBe(2999);
    expect(read).toHaveLength(2999);
  });

  it('reads with every option the same with threads and without', async () => {
    const path = join(folder, 'threads.csv');
    const row = (i: number): string => (i === 500 ? `"500;"lost` : ` ${i} ;"x\\"\n'${i}" ; ;`);
    const text = `sep=;\nabout this file\n#c\n\xe9; b;\n${Array.from({ length: 3000 }, (_, i) => `${row(i)}\n#"c\n`).join('')}`;
    await writeFile(path, Buffer.from(text, 'latin1'));
    const options: CsvSourceOptions<Record<string, string>> = {
      path,
      escape: '\\',
      comment: '#',
      fromLine: 3,
      trim: true,
      relaxQuotes: true,
      relaxColumnCount: true,
      encoding: 'windows-1252',
      header: 'replace',
      columns: ['é', 'b', ''],
    };
    const read = async (partitions: number): Promise<unknown[]> => {
      const rows: unknown[] = [];
      const flow = defineWorkflow({
        name: 'Read',
        build: (it) =>
          it.task('Rows', csvSource({ ...options, partitions })).task(
            'Keep',
            ['Rows'],
            sinkTask((record) => void rows.push(record)),
          ),
      });
      const run = flow.run(undefined, { threads: partitions === 1 ? 0 : 2 });
      run.events$.subscribe((event) => {
        if (event.type === 'dead-letter') rows.push(event.letter.message, event.letter.record);
      });
      await run.finished;
      return rows.map((one) => JSON.stringify(one)).sort();
    };
    const whole = await read(1);
    expect(whole.length).toBeGreaterThan(2990);
    expect(await read(3)).toEqual(whole);
  }, 60_000);

  it('refuses labels that no decoder has, and options that contradict each other', () => {
    const refused = (options: object): unknown => {
      try {
        return csvSource({ path: 'f.csv', ...options });
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refused({ encoding: 'windows-1525' })).toBe(
      "Expected `encoding` of a CSV file to be a label of TextDecoder such as 'utf8', 'utf-16le' or 'windows-1252', got \"windows-1525\" (string). Did you mean 'windows-1252'?",
    );
    expect(refused({ quote: ',' })).toContain('`quote` of a CSV file to be another character than `delimiter`');
    expect(refused({ escape: ';', delimiter: ';' })).toContain('`escape` of a CSV file to be another character');
    expect(refused({ comment: '"' })).toContain('`comment` of a CSV file to be characters other than');
    expect(refused({ header: 'replace' })).toContain('because they replace the header');
    expect(refused({ columns: ['__proto__'] })).toContain("names that an object can hold, unlike '__proto__'");
  });
});
