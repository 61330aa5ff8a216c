/**
 * The tables that every CSV reader should read alike, those of csv-spectrum, and random tables that the sink's format
 * writes and the reader reads back. `CSV_TABLES=50000` reads more of them, `CSV_TABLES_SEED` others.
 */
import { describe, expect, it } from '@jest/globals';
import { isLong } from '../../support/long.js';
import { seededRandom } from '#lib/index.js';
import { OpenByteSource } from '#lib/connectors/files/byte-source.js';
import { openCsvReaderOn, type CsvReaderOptions } from '#lib/connectors/csv/csv-reader.js';
import { RowFormat } from '#lib/connectors/csv/csv-row-format.js';

const TABLES = Number(process.env['CSV_TABLES'] ?? (isLong ? 5000 : 1500));
const SEED = Number(process.env['CSV_TABLES_SEED'] ?? 1);

/** Reads bytes from memory, in chunks of this size. */
async function read(
  bytes: Buffer,
  options: Omit<CsvReaderOptions, 'path'> = {},
  chunkBytes = bytes.length,
): Promise<unknown[]> {
  let at = 0;
  const source = new OpenByteSource({
    pull: () => {
      if (at >= bytes.length) return Promise.resolve(null);
      at += chunkBytes;
      return Promise.resolve(bytes.subarray(at - chunkBytes, at));
    },
    close: () => Promise.resolve(),
    version: undefined,
  });
  const reader = await openCsvReaderOn(source, { path: 'f.csv', ...options });
  const rows: unknown[] = [];
  for (let items = await reader.read(100); items !== null; items = await reader.read(100)) {
    rows.push(...items.map((item) => ('error' in item ? item.error.message : item.values)));
  }
  return rows;
}

const ABC = [
  { a: '1', b: '2', c: '3' },
  { a: '', b: '', c: '' },
];

const SPECTRUM: readonly [name: string, text: string, rows: readonly Record<string, string>[]][] = [
  [
    'comma in quotes',
    'first,last,address,city,zip\nJane,Roe,12 Any St.,"Springfield, Anywhere",08123\n',
    [{ first: 'Jane', last: 'Roe', address: '12 Any St.', city: 'Springfield, Anywhere', zip: '08123' }],
  ],
  [
    'empty fields',
    'a,b,c\n1,"",""\n2,3,4\n',
    [
      { a: '1', b: '', c: '' },
      { a: '2', b: '3', c: '4' },
    ],
  ],
  [
    'empty fields with CRLF',
    'a,b,c\r\n1,"",""\r\n2,3,4\r\n',
    [
      { a: '1', b: '', c: '' },
      { a: '2', b: '3', c: '4' },
    ],
  ],
  [
    'escaped quotes',
    'a,b\n1,"ha ""ha"" ha"\n3,4\n',
    [
      { a: '1', b: 'ha "ha" ha' },
      { a: '3', b: '4' },
    ],
  ],
  [
    'JSON in a field',
    'key,val\n1,"{""type"": ""Point"", ""at"": [1.0, 2.0]}"\n',
    [{ key: '1', val: '{"type": "Point", "at": [1.0, 2.0]}' }],
  ],
  ['a list of places', 'lat,lng\n"52.5, N","13.4, E"\n', [{ lat: '52.5, N', lng: '13.4, E' }]],
  [
    'line ends in quotes',
    'a,b,c\n1,2,3\n"Once upon \na time",5,6\n',
    [
      { a: '1', b: '2', c: '3' },
      { a: 'Once upon \na time', b: '5', c: '6' },
    ],
  ],
  [
    'line ends in quotes with CRLF',
    'a,b,c\r\n1,2,3\r\n"Once upon \r\na time",5,6\r\n',
    [
      { a: '1', b: '2', c: '3' },
      { a: 'Once upon \r\na time', b: '5', c: '6' },
    ],
  ],
  [
    'quotes and line ends',
    'a,b\n1,"ha \n""ha"" \nha"\n3,4\n',
    [
      { a: '1', b: 'ha \n"ha" \nha' },
      { a: '3', b: '4' },
    ],
  ],
  ['a simple table', 'a,b,c\n1,2,3\n', ABC.slice(0, 1)],
  ['a simple table with CRLF', 'a,b,c\r\n1,2,3', ABC.slice(0, 1)],
  [
    'UTF-8',
    'a,b,c\n1,2,3\n4,5,ʤ\n',
    [
      { a: '1', b: '2', c: '3' },
      { a: '4', b: '5', c: 'ʤ' },
    ],
  ],
];

const ALPHABET = [
  ...['', 'a', 'B7', '0', '-1.5', ' ', '  ', '\t', '"', '""', "'", ',', ';', '|', '^', '\\', '\n', '\r', '\r\n'],
  ...[
    '=',
    'sep=;',
    '#',
    '\u00a0',
    '\uFEFF',
    'é',
    '€',
    '漢字',
    '😀',
    '\u2028',
    '\x7f',
    'a,b',
    '"x"',
    'null',
    '__proto__',
  ],
];
const DELIMITERS = [',', ',', ';', '\t', '|', '^', ' '];

/** A random table with its format, from a seed. */
function tableOf(seed: number): {
  readonly columns: readonly string[];
  readonly rows: readonly Record<string, string>[];
  readonly delimiter: string;
  readonly lineEnd: '\n' | '\r\n';
  readonly chunkBytes: number;
} {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const text = (most: number): string =>
    Array.from({ length: below(most + 1) }, () => ALPHABET[below(ALPHABET.length)]).join('');
  const columns = Array.from({ length: 1 + below(4) }, (_, i) => (below(2) === 0 ? `c${i}` : `${text(2)}${i}`));
  const rows = Array.from({ length: below(6) }, () => Object.fromEntries(columns.map((column) => [column, text(3)])));
  const delimiter = DELIMITERS[below(DELIMITERS.length)] as string;
  return { columns, rows, delimiter, lineEnd: below(2) === 0 ? '\n' : '\r\n', chunkBytes: 1 + below(100) };
}

describe('a CSV reader', () => {
  it.each(SPECTRUM)('reads %s as csv-spectrum has it', async (_, text, rows) => {
    expect(await read(Buffer.from(text))).toEqual(rows);
    expect(await read(Buffer.from(text), {}, 1)).toEqual(rows);
  });

  it(`reads back the rows of ${TABLES} random tables, from seed ${SEED}`, async () => {
    for (let seed = SEED; seed < SEED + TABLES; seed++) {
      const { columns, rows, delimiter, lineEnd, chunkBytes } = tableOf(seed);
      const format = new RowFormat({ columns, delimiter, lineEnd, escapeFormulas: false });
      const bytes = Buffer.from(format.header + format.text(rows));
      const back = await read(bytes, { delimiter, columns }, chunkBytes).catch(String);
      // `toEqual` of each would take most of the time.
      if (JSON.stringify(back) === JSON.stringify(rows)) continue;
      expect({ seed, rows: back }).toEqual({ seed, rows });
    }
  }, 120_000);
});
