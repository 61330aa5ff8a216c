/** Values that a table cannot hold, or a record cannot, without a server. */
import { describe, expect, it } from '@jest/globals';
import { postgresSink, postgresSource } from 'millrace/postgres';
import { copyLine } from '#lib/connectors/postgres/copy-text.js';
import { types } from '#lib/connectors/postgres/postgres-package.js';
import { parserOf } from '#lib/connectors/postgres/postgres-values.js';
import { rowJson } from '#lib/connectors/postgres/row-json.js';
import { assertDifferentColumns } from '#lib/connectors/sql/query.js';

const JSON_BINARY = 3802;
const JSON_BINARIES = 3807;
const NUMERICS = 1231;
const BIGINTS = 1016;
const INSTANT = 1184;
const INSTANTS = 1185;

describe('values that are read', () => {
  it('no number of an array is rounded', () => {
    expect(parserOf(NUMERICS)('{1.234567890123456789,NULL,NaN}')).toEqual(['1.234567890123456789', null, 'NaN']);
    expect(parserOf(BIGINTS)('{9007199254740993}')).toEqual(['9007199254740993']);
  });

  it('an integer of JSON that a number cannot hold is refused, and the message names the remedy', () => {
    expect(() => parserOf(JSON_BINARY)('{"a": [9007199254740993]}')).toThrow(/9007199254740993 exactly.*::text/);
    expect(() => parserOf(JSON_BINARIES)('{"{\\"a\\": 12345678901234567890}"}')).toThrow('12345678901234567890');
    expect(parserOf(JSON_BINARY)('{"a": 9007199254740992, "b": "12345678901234567890", "c": 1.5}')).toEqual({
      a: 9007199254740992,
      b: '12345678901234567890',
      c: 1.5,
    });
  });

  it('parsers of the program are used as they are', () => {
    const setParser = types.setTypeParser as unknown as (type: number, parse: (text: string) => unknown) => void;
    const before = parserOf(JSON_BINARY);
    setParser(JSON_BINARY, (text) => `own ${text}`);
    try {
      expect(parserOf(JSON_BINARY)('[9007199254740993]')).toBe('own [9007199254740993]');
    } finally {
      setParser(JSON_BINARY, before);
    }
  });

  it('an instant that no Date can hold is refused', () => {
    expect(() => parserOf(INSTANT)('294276-12-31 23:59:59+00')).toThrow('no Date can hold 294276-12-31 23:59:59+00');
    expect(() => parserOf(INSTANTS)('{"294276-12-31 23:59:59+00"}')).toThrow('no Date can hold');
    expect(parserOf(INSTANT)('infinity')).toBe(Infinity);
  });

  it('two columns of one name, and a column __proto__, are refused', () => {
    const check =
      (...names: string[]) =>
      () => {
        assertDifferentColumns(names, 'The query');
      };
    expect(check('a', 'b', 'a')).toThrow(expect.objectContaining({ code: 'MILLRACE_SQL' }));
    expect(check('__proto__')).toThrow("it has a column '__proto__'");
    expect(check('a', 'A', 'constructor')).not.toThrow();
  });
});

describe('values that are written', () => {
  const changed = [
    NaN,
    1n,
    [1, undefined],
    { a: Infinity },
    { a: 1n },
    { a: new Map([[1, 2]]) },
    new Set([1]),
    new Uint8Array(1),
  ];

  it.each(changed.map((value) => [value]))('a column of JSON does not contain %p, which JSON would change', (value) => {
    expect(() => copyLine([value], ['json'], ['j'])).toThrow(/^Column 'j': JSON cannot represent/);
    expect(() => rowJson([value], ['j'], ['json'])).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_OUTPUT' }),
    );
  });

  it('a column of text does not contain an object that JSON would change', () => {
    expect(() => rowJson([{ a: new Map([[1, 2]]) }], ['t'], ['plain'])).toThrow(/^Column 't': JSON cannot represent/);
  });

  it('a lone surrogate is refused, because COPY would replace it', () => {
    expect(() => copyLine(['a\ud800'], ['plain'], ['t'])).toThrow(/^Column 't' cannot contain .*surrogate/);
    expect(copyLine(['a\u{1f600}'], ['plain'], ['t'])).toBe('a\u{1f600}\n');
  });
});

describe('a connection that is no URL of PostgreSQL', () => {
  it.each([['mysql://root:secret@db/x'], ['secret'], ['http://localhost/x']])(
    '%s is refused, without its secrets',
    (connection) => {
      const make = [
        () => postgresSource({ connection, query: 'SELECT 1' }),
        () => postgresSink({ connection, table: 't', columns: ['a'] }),
      ];
      for (const one of make) {
        expect(one).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }));
        expect(one).not.toThrow('secret');
      }
    },
  );
});
