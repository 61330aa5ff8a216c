/**
 * Files of JSON records as they occur: every bad spot with what it costs. Each gives the same in every way of reading:
 * whole, in small chunks, compressed, and from the middle.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { openJsonReader, type JsonItem } from '#lib/connectors/ndjson/json-reader.js';
import type { JsonReaderOptions } from '#lib/connectors/ndjson/json-reader-options.js';
import type { RowPoint, RowReader } from '#lib/connectors/files/row-reader.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ndjson-bad-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Options = Omit<JsonReaderOptions, 'path'>;

async function drain(reader: RowReader<JsonItem>): Promise<JsonItem[]> {
  const all: JsonItem[] = [];
  for (let items = await reader.read(3); items !== null; items = await reader.read(3)) all.push(...items);
  return all;
}

/** A record as its line and value, a bad one as its line, message and text. */
function plain(item: JsonItem): unknown {
  if (!('error' in item)) return [item.line, item.value];
  return [item.line, messageOf(item.error).replace(`line ${item.line}: `, ''), item.text];
}

/** Without the name of the file, and without the words of the parser, which depend on the version of Node.js. */
function messageOf(error: unknown): string {
  return (error as Error).message
    .replace(/^.*f\.ndjson(?:\.gz)?,? ?/, '')
    .replace(/it is not JSON: .*?(?=$|\. The file)/s, 'it is not JSON');
}

async function rowsOf(options: JsonReaderOptions): Promise<unknown[]> {
  const rows: unknown[] = [];
  try {
    const reader = await openJsonReader(options);
    for (let items = await reader.read(3); items !== null; items = await reader.read(3)) rows.push(...items.map(plain));
  } catch (error) {
    rows.push(messageOf(error));
  }
  return rows;
}

/** The records, after a check that every way of reading gives the same. */
async function everyWay(bytes: Buffer, options: Options): Promise<unknown[]> {
  const path = join(folder, 'f.ndjson');
  await writeFile(path, bytes);
  const rows = await rowsOf({ path, ...options });
  for (const chunkBytes of [1, 7, 64]) expect(await rowsOf({ path, ...options, chunkBytes })).toEqual(rows);
  if (!isOfTheFile(rows)) {
    await writeFile(`${path}.gz`, gzipSync(bytes));
    expect(await rowsOf({ path: `${path}.gz`, ...options, chunkBytes: 5 })).toEqual(rows);
  }
  if (rows.some((row) => typeof row === 'string')) return rows;
  const reader = await openJsonReader({ path, ...options, chunkBytes: 16 });
  const points: RowPoint[] = [];
  for (let number = 0; (await reader.read(1)) !== null;) {
    const point = reader.pointBefore(++number);
    if (point !== undefined) points.push(point);
  }
  for (const { rows: before, start, line } of points.slice(0, 12)) {
    expect(await rowsOf({ path, ...options, at: { start, line } })).toEqual(rows.slice(before));
  }
  return rows;
}

/** Whether the file was refused for what is looked at only in files that are not compressed. */
function isOfTheFile(rows: readonly unknown[]): boolean {
  return rows.length === 1 && typeof rows[0] === 'string' && /is not UTF-8|is gzip/.test(rows[0]);
}

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
const joined = (...parts: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));

const NOT_JSON = 'it is not JSON';
const CUT = '. The file ends within this line, so it may have been cut off';
const large = (digits: string): string =>
  `the integer ${digits} is beyond the range that a number holds exactly, and would be rounded. Set \`largeIntegers: 'text'\` to receive such integers as text, or 'round'`;
const twice = (key: string): string =>
  `the key "${key}" occurs twice in one object, and one of its values would be lost. Set \`duplicateKeys: 'last'\` to use the last one`;
const PROTOTYPE =
  "it has the key '__proto__', which would change the prototype of an object that it is copied to. Rename the key where the file is made";
const invalid = (byte: string, encoding = 'utf-8'): string =>
  `byte 0x${byte} is not a character in ${encoding}; set the option \`encoding\` to the encoding of the file, or convert it`;
const proto = (text: string): unknown => JSON.parse(text) as unknown;

const CASES: readonly [what: string, bytes: string | Buffer, options: Options, rows: readonly unknown[]][] = [
  ['an empty file', '', {}, []],
  ['a file of blank lines', '\n\r\n  \n\t', {}, []],
  [
    'records of every kind',
    '{"a":1}\n[1]\n"x"\n0\nfalse\nnull\n""\n',
    {},
    [
      [1, { a: 1 }],
      [2, [1]],
      [3, 'x'],
      [4, 0],
      [5, false],
      [6, null],
      [7, ''],
    ],
  ],
  ['a byte order mark', '\uFEFF{"a":1}\n', {}, [[1, { a: 1 }]]],
  [
    'a byte order mark between joined files',
    '1\n\uFEFF2\n',
    {},
    [
      [1, 1],
      [2, 2],
    ],
  ],
  [
    'CRLF',
    '1\r\n\r\n2\r\n',
    {},
    [
      [1, 1],
      [3, 2],
    ],
  ],
  [
    'empty lines',
    '\n1\n\n \n2\n\n',
    {},
    [
      [2, 1],
      [5, 2],
    ],
  ],
  [
    'no line end behind the last line',
    '1\n2',
    {},
    [
      [1, 1],
      [2, 2],
    ],
  ],
  ['line ends of an old Mac', '{"a":1}\r{"a":2}\r', {}, [[1, `${NOT_JSON}${CUT}`, '{"a":1}\r{"a":2}\r']]],
  [
    'two records on a line',
    '1\n{"a":1} {"a":2}\n3\n',
    {},
    [
      [1, 1],
      [2, NOT_JSON, '{"a":1} {"a":2}'],
      [3, 3],
    ],
  ],
  [
    'half of a last line',
    '{"a":1}\n{"a":2,"b',
    {},
    [
      [1, { a: 1 }],
      [2, `${NOT_JSON}${CUT}`, '{"a":2,"b'],
    ],
  ],
  [
    'a NUL byte',
    '1\n{"a":"\0"}\n2\n',
    {},
    [
      [1, 1],
      [2, 'it contains a NUL byte; remove it where the file is made', '{"a":"\0"}'],
      [3, 2],
    ],
  ],
  [
    'a line of NUL bytes, as after a loss of power',
    '1\n\0\0\0\0',
    {},
    [
      [1, 1],
      [2, 'it contains a NUL byte; remove it where the file is made', '\0\0\0\0'],
    ],
  ],
  ['an escaped NUL', '{"a":"\\u0000"}\n', {}, [[1, { a: '\0' }]]],
  ['an escaped lone surrogate', '"\\ud800"\n', {}, [[1, '\ud800']]],
  [
    'a lone surrogate in bytes',
    joined('1\n"', hex('eda080'), '"\n"éééé"\n'),
    {},
    [
      [1, 1],
      [2, invalid('ED'), '"\uFFFD\uFFFD\uFFFD"'],
      [3, 'éééé'],
    ],
  ],
  [
    'a record in another encoding',
    joined('"é"\n"é"\n"', hex('e9'), '"\n2\n'),
    {},
    [
      [1, 'é'],
      [2, 'é'],
      [3, invalid('E9'), '"\uFFFD"'],
      [4, 2],
    ],
  ],
  [
    'a file in another encoding',
    joined('1\n"', hex('e9'), '"\n'),
    {},
    [
      "line 2: byte 0xE9 (byte 3 of the file) is not UTF-8; set the option `encoding` to the encoding of the file, such as 'windows-1252', or convert the file",
    ],
  ],
  ['it, declared', joined('"', hex('e980'), '"\n'), { encoding: 'windows-1252' }, [[1, 'é€']]],
  [
    'a byte that the declared encoding has not',
    joined('1\n"', hex('a5'), '"\n'),
    { encoding: 'iso-8859-3' },
    [
      [1, 1],
      [2, invalid('A5', 'iso-8859-3'), '"\uFFFD"'],
    ],
  ],
  ['UTF-16', Buffer.from('\uFEFF{"a":"é"}\n', 'utf16le'), { encoding: 'utf-16le' }, [[1, { a: 'é' }]]],
  [
    'UTF-16, not declared',
    Buffer.from('\uFEFF{"a":"é"}\n', 'utf16le'),
    {},
    ["is UTF-16: set the option `encoding` to 'utf16le'"],
  ],
  ['a line separator within a string', '"a\u2028b"\n', {}, [[1, 'a\u2028b']]],
  [
    'integers beyond 2^53',
    '{"id":9007199254740993}\n{"id":-9007199254740993,"t":"9007199254740993"}\n{"id":9007199254740992}\n',
    {},
    [
      [1, large('9007199254740993'), '{"id":9007199254740993}'],
      [2, large('-9007199254740993'), '{"id":-9007199254740993,"t":"9007199254740993"}'],
      [3, { id: 9007199254740992 }],
    ],
  ],
  ['them as text', '{"id":9007199254740993}\n', { largeIntegers: 'text' }, [[1, { id: '9007199254740993' }]]],
  ['them rounded', '{"id":9007199254740993}\n', { largeIntegers: 'round' }, [[1, { id: 9007199254740992 }]]],
  [
    'a number beyond all numbers',
    '[1e400]\n[1e300]\n',
    {},
    [
      [1, 'a number in it is beyond the range of numbers, and would become Infinity', '[1e400]'],
      [2, [1e300]],
    ],
  ],
  [
    'NaN of other programs',
    '{"a":NaN}\n1\n',
    {},
    [
      [1, NOT_JSON, '{"a":NaN}'],
      [2, 1],
    ],
  ],
  [
    'a key that occurs twice',
    '{"a":1,"b":{"c":":","c":2}}\n{"a":{"a":"x:y"},"b":{"a":1}}\n',
    {},
    [
      [1, twice('c'), '{"a":1,"b":{"c":":","c":2}}'],
      [2, { a: { a: 'x:y' }, b: { a: 1 } }],
    ],
  ],
  ['it, with an escape', '{"a":1,"\\u0061":2}\n', {}, [[1, twice('a'), '{"a":1,"\\u0061":2}']]],
  ['it, accepted', '{"a":1,"a":2}\n', { duplicateKeys: 'last' }, [[1, { a: 2 }]]],
  [
    'a key that reaches into prototypes',
    '{"a":{"__proto__":{"x":1}}}\n{"\\u005f_proto__":1}\n{"constructor":1,"prototype":2}\n',
    {},
    [
      [1, PROTOTYPE, '{"a":{"__proto__":{"x":1}}}'],
      [2, PROTOTYPE, '{"\\u005f_proto__":1}'],
      [3, { constructor: 1, prototype: 2 }],
    ],
  ],
  ['an empty key', '{"":1}\n', {}, [[1, { '': 1 }]]],
  [
    'a huge line',
    `1\n"${'x'.repeat(300)}"\n2\n`,
    { maxRecordBytes: 100 },
    [
      [1, 1],
      [
        2,
        'the record has 302 bytes, more than 100; check its line ends, or raise the option `maxRecordBytes`',
        `"${'x'.repeat(99)}…`,
      ],
      [3, 2],
    ],
  ],
  [
    'a huge last line',
    `1\n"${'x'.repeat(300)}`,
    { maxRecordBytes: 100 },
    [
      [1, 1],
      [
        2,
        'the record has 301 bytes, more than 100; check its line ends, or raise the option `maxRecordBytes`',
        `"${'x'.repeat(99)}…`,
      ],
    ],
  ],
  [
    'a huge line of blanks',
    `1\n${' '.repeat(300)}\n2\n`,
    { maxRecordBytes: 100 },
    [
      [1, 1],
      [3, 2],
    ],
  ],
  ['a line of just the largest size', `"${'x'.repeat(98)}"\n`, { maxRecordBytes: 100 }, [[1, 'x'.repeat(98)]]],
  [
    'deep nesting',
    `${'['.repeat(5000)}${']'.repeat(5000)}\n1\n`,
    {},
    [
      [
        1,
        'it is nested in more than 1000 levels, which is more than programs can handle',
        `${'['.repeat(5000)}${']'.repeat(5000)}`,
      ],
      [2, 1],
    ],
  ],
  [
    'an array over several lines',
    '[\n  {"a":1},\n  {"a":2}\n]\n',
    {},
    ["is one JSON array over several lines: set the option `format` to 'array'"],
  ],
  [
    'objects over several lines',
    '{\n  "a":1\n}\n',
    {},
    [
      "holds objects over several lines: write each on one line, or put them into an array and set the option `format` to 'array'",
    ],
  ],
  [
    'gzip without its name',
    gzipSync('1\n'),
    {},
    ['is gzip, although its name does not say so: rename it to end in .gz, or unpack it'],
  ],
  [
    'an archive',
    hex('504b0304 00000000'),
    {},
    ['is a ZIP archive or an Excel workbook, not NDJSON: unpack it, or save it as NDJSON'],
  ],
];

const ARRAYS: readonly [what: string, text: string | Buffer, options: Options, rows: readonly unknown[]][] = [
  ['an empty array', ' [ ] \n', {}, []],
  [
    'records of every kind',
    '[{"a":[1,{"b":"]"}]},"x,\\"",0,null,[[]],false]',
    {},
    [
      [1, { a: [1, { b: ']' }] }],
      [1, 'x,"'],
      [1, 0],
      [1, null],
      [1, [[]]],
      [1, false],
    ],
  ],
  [
    'an array over several lines',
    '\uFEFF[\n  {\n    "a": 1\n  },\r\n  {"a":\n2}\n]\n\n',
    {},
    [
      [2, { a: 1 }],
      [5, { a: 2 }],
    ],
  ],
  [
    'a bad element',
    '[1, {"a": tru}, 2]',
    {},
    [
      [1, 1],
      [1, NOT_JSON, '{"a": tru}'],
      [1, 2],
    ],
  ],
  [
    'a brace too many',
    '[{"a":1}},{"b":2}]',
    {},
    [
      [1, NOT_JSON, '{"a":1}}'],
      [1, { b: 2 }],
    ],
  ],
  [
    'missing elements',
    '[1,,2,]',
    {},
    [
      [1, 1],
      [1, 'a value is missing', ''],
      [1, 2],
      [1, 'a value is missing', ''],
    ],
  ],
  [
    'a missing brace',
    '[1,\n{"a":[1},\n{"b":2}]\n',
    {},
    [
      [1, 1],
      'line 2: the file ends within the element that begins here: it may have been cut off, or a bracket is missing in it',
    ],
  ],
  [
    'half of an array',
    '[1,\n2',
    {},
    [
      [1, 1],
      'line 2: the file ends within the element that begins here: it may have been cut off, or a bracket is missing in it',
    ],
  ],
  [
    'an array that is not closed',
    '[1,2,\n',
    {},
    [[1, 1], [1, 2], 'line 2: the file ends before its array does; it may have been cut off'],
  ],
  ['something behind the array', '[1]\n[2]', {}, [[1, 1], 'line 2: something follows the array: remove it']],
  [
    'lines',
    '{"a":1}\n{"a":2}\n',
    {},
    ["line 1: expected an array, which begins with '['. Set `format: 'lines'` if each line is a record"],
  ],
  ['an empty file', ' \n', {}, ["line 2: the file is empty: expected an array, '['"]],
  [
    'a huge element',
    `[1,"${'x'.repeat(300)}",2]`,
    { maxRecordBytes: 100 },
    [
      [1, 1],
      [
        1,
        'the record has 302 bytes, more than 100; check its line ends, or raise the option `maxRecordBytes`',
        `"${'x'.repeat(99)}…`,
      ],
      [1, 2],
    ],
  ],
  ['UTF-16', Buffer.from('\uFEFF["é"]', 'utf16le'), { encoding: 'utf-16le' }, [[1, 'é']]],
];

describe('a file of JSON lines with', () => {
  it.each(CASES)('%s', async (_, bytes, options, rows) => {
    expect(await everyWay(Buffer.from(bytes), options)).toEqual(rows);
  });

  it('a key __proto__ makes no object with another prototype, also where duplicates are accepted', async () => {
    const path = join(folder, 'proto.ndjson');
    await writeFile(path, '{"__proto__":{"admin":true}}\n');
    const [row] = await drain(await openJsonReader({ path, duplicateKeys: 'last', largeIntegers: 'round' }));
    expect(row).toHaveProperty('error');
    expect(proto('{}')).not.toHaveProperty('admin');
  });
});

describe('a file that is one JSON array with', () => {
  it.each(ARRAYS)('%s', async (_, bytes, options, rows) => {
    expect(await everyWay(Buffer.from(bytes), { format: 'array', ...options })).toEqual(rows);
  });
});

describe('a file that is', () => {
  it('cut off within gzip gives the records before, and then fails', async () => {
    const path = join(folder, 'cut.ndjson.gz');
    const lines = Array.from({ length: 20_000 }, (_, n) => `{"n":${n},"r":${Math.sin(n)}}\n`).join('');
    const packed = gzipSync(lines);
    await writeFile(path, packed.subarray(0, packed.length - 1000));
    const reader = await openJsonReader({ path });
    let count = 0;
    const reading = async (): Promise<void> => {
      for (let items = await reader.read(100); items !== null; items = await reader.read(100)) count += items.length;
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'MILLRACE_JSON',
      message: expect.stringContaining(`${path} is not a valid gzip file`) as unknown,
    });
    expect(count).toBeGreaterThan(10_000);
  });

  it('a folder, or missing, is refused', async () => {
    await expect(openJsonReader({ path: folder })).rejects.toThrow(
      `Cannot read ${folder}: it is a folder; name a file in it`,
    );
    const path = join(folder, 'none.ndjson');
    await expect(openJsonReader({ path })).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });

  it('an empty device has no records', async () => {
    expect(await rowsOf({ path: '/dev/null' })).toEqual([]);
  });

  it('an endless device is one record that is too long, until the reading is cancelled', async () => {
    const stop = new AbortController();
    const reader = await openJsonReader({ path: '/dev/zero', signal: stop.signal });
    const reading = reader.read(1);
    setImmediate(() => {
      stop.abort();
    });
    await expect(reading).rejects.toMatchObject({ code: 'MILLRACE_ABORTED' });
  });

  it('written to while it is read fails', async () => {
    const path = join(folder, 'growing.ndjson');
    const lines = '1\n'.repeat(100);
    await writeFile(path, lines);
    const reader = await openJsonReader({ path, chunkBytes: 2 });
    await reader.read(1);
    await writeFile(path, `${lines}2\n`);
    await expect(drain(reader)).rejects.toThrow('changed while it was read: it had 200 bytes, and now has 202');
  });
});

describe('any bytes', () => {
  it('give the same records and bad records however they are divided, and each line is one of them', async () => {
    const piece = fc.constantFrom(
      '{"a":1}',
      '[1,2]',
      '"',
      '{',
      '\\',
      ',',
      '1',
      '\n',
      '\n',
      '\r\n',
      ' ',
      '\0',
      'é',
      '\uFEFF',
      ']',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 30 }),
        fc.constantFrom('lines' as const, 'array' as const),
        async (pieces, format) => {
          const text = pieces.join('');
          const rows = await everyWay(Buffer.from(text), { format });
          if (format === 'array' || rows.some((row) => typeof row === 'string')) return;
          const lines = text
            .replace(/^\uFEFF/, '')
            .split('\n')
            .filter((line) => !/^[ \t\r]*$/.test(line));
          expect(rows).toHaveLength(lines.length);
        },
      ),
      { numRuns: Number(process.env['NDJSON_RUNS'] ?? 60) },
    );
  });
});
