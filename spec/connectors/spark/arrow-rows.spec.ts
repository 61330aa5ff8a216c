/** Messages of Arrow as rows, without a server: what the package writes is read back, value by value. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import * as arrow from '@uwdata/flechette';
import fc from 'fast-check';
import { readArrow, type ArrowRows } from '#lib/connectors/spark/arrow-rows.js';

/** A type, the values that it is written from, and the values of its rows. */
interface Kind {
  readonly type: arrow.DataType;
  readonly written: fc.Arbitrary<unknown>;
  readonly read?: (written: never) => unknown;
}

const text = fc.oneof(
  // Around the length from which V8 would keep the text of all rows in memory.
  fc.string({ unit: 'binary-ascii', minLength: 10, maxLength: 15 }),
  fc.string({ unit: 'binary' }),
  fc.constant('\ufeffmarked'),
);
const int64 = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, 2 ** 32, -(2 ** 32), 2 ** 31, 2 ** 53 - 1, 1 - 2 ** 53),
);
const digits = (value: bigint): string => {
  const padded = String(value < 0n ? -value : value).padStart(3, '0');
  return `${value < 0n ? '-' : ''}${padded.slice(0, -2)}.${padded.slice(-2)}`;
};
const decimal = fc.oneof(
  fc.bigInt({ min: -(10n ** 38n - 1n), max: 10n ** 38n - 1n }),
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
  fc.maxSafeInteger().map(BigInt),
);

const KINDS: Readonly<Record<string, Kind>> = {
  int8: { type: arrow.int8(), written: fc.integer({ min: -128, max: 127 }) },
  int32: { type: arrow.int32(), written: fc.integer() },
  int64: { type: arrow.int64(), written: int64.map(BigInt), read: Number },
  float64: { type: arrow.float64(), written: fc.double() },
  bool: { type: arrow.bool(), written: fc.boolean() },
  text: { type: arrow.utf8(), written: text },
  largeText: { type: arrow.largeUtf8(), written: text },
  bytes: { type: arrow.binary(), written: fc.uint8Array({ maxLength: 20 }), read: (bytes: Uint8Array) => [...bytes] },
  decimal: { type: arrow.decimal128(38, 2), written: decimal, read: digits },
  day: {
    type: arrow.dateDay(),
    // From the year 1 to the year 9999.
    written: fc.integer({ min: -719_162, max: 2_932_896 }).map((days) => new Date(days * 86_400_000)),
    read: (date: Date) => date.toISOString().slice(0, 10),
  },
  list: { type: arrow.list(arrow.utf8()), written: fc.array(fc.option(text)) },
  struct: {
    type: arrow.struct({ id: arrow.int64(), tags: arrow.list(arrow.bool()) }),
    written: fc.record({ id: fc.option(int64.map(BigInt)), tags: fc.option(fc.array(fc.boolean())) }),
    read: ({ id, tags }: { readonly id: bigint | null; readonly tags: unknown }) => ({
      id: id === null ? null : Number(id),
      tags,
    }),
  },
};

/** The rows of a message that does not begin at a multiple of eight. */
function rowsOf(columns: readonly (readonly [string, arrow.Column<unknown>])[]): ArrowRows {
  const table = arrow.tableFromColumns(columns as [string, arrow.Column<unknown>][]);
  const data = arrow.tableToIPC(table, { format: 'stream' }) as Uint8Array;
  const shifted = new Uint8Array(data.length + 3);
  shifted.set(data, 3);
  return readArrow(arrow, shifted.subarray(3), 'The query');
}

/** A value whose bytes are an array, for comparisons. */
const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);

describe('rows of Arrow', () => {
  it.each(Object.entries(KINDS))('%s: each value is read as it was written', (_, { type, written, read }) => {
    fc.assert(
      fc.property(fc.array(fc.option(written), { minLength: 1, maxLength: 40 }), (values) => {
        const rows = rowsOf([['v', arrow.columnFromArray(values, type)]]);
        const expected = values.map((value) => (value === null ? null : read ? read(value as never) : value));
        expect(rows.count).toBe(values.length);
        expect(values.map((_value, i) => plain(rows.row(i)['v']))).toEqual(expected);
        expect(values.map((_value, i) => plain(rows.value(i, 'v')))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('an integer that a number cannot hold costs its row alone', () => {
    const values = [2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)];
    const rows = rowsOf([['n', arrow.columnFromArray(values, arrow.int64())]]);
    expect(rows.row(1)).toEqual({ n: Number.MAX_SAFE_INTEGER });
    for (const index of [0, 2, 3, 4]) expect(() => rows.row(index)).toThrow(`Column 'n' contains ${values[index]}`);
  });

  it('columns of any names keep them, and two of one name are refused', () => {
    const names = ['a b', '"', "'; throw 1; '", 'constructor', '1', '', '\u2028', '`'];
    const columns = names.map((name, i) => [name, arrow.columnFromArray([i], arrow.int32())] as const);
    expect(rowsOf(columns).row(0)).toEqual(Object.fromEntries(names.map((name, i) => [name, i])));
    expect(() => rowsOf([...columns, ...columns.slice(0, 1)])).toThrow('The query: it has two columns "a b"');
    expect(() => rowsOf([['__proto__', arrow.columnFromArray([1], arrow.int32())]])).toThrow("a column '__proto__'");
  });

  it('are read where a process may not compile text', () => {
    const module = fileURLToPath(import.meta.resolve('#lib/connectors/spark/arrow-rows.js'));
    const code = `import { readArrow } from ${JSON.stringify(module)};
      import * as arrow from '@uwdata/flechette';
      const data = arrow.tableToIPC(arrow.tableFromArrays({ a: [1, 2], b: [0.5, 1.5] }), { format: 'stream' });
      console.log(JSON.stringify(readArrow(arrow, data, 'It').row(1)));`;
    const args = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', code];
    const cwd = new URL('../../../../', import.meta.url).pathname;
    expect(String(execFileSync(process.execPath, args, { cwd }))).toBe('{"a":2,"b":1.5}\n');
  });
});
