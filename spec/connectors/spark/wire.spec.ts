/** The encoding of the messages of Spark Connect, and the addresses of servers. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  boolean,
  bytes,
  double,
  integer,
  message,
  nested,
  repeated,
  string,
} from '#lib/connectors/spark/protocol/wire.js';
import { sparkSource, sparkStatement } from 'millrace/spark';
import { addressOf } from '#lib/connectors/spark/spark-remote.js';

describe('a message', () => {
  const Part = message({ name: string(1), count: integer(2) });
  const Whole = message({
    text: string(1),
    flag: boolean(3),
    ratio: double(11),
    data: bytes(15),
    count: integer(16),
    part: nested(2047, Part),
    parts: repeated(nested(5, Part)),
    names: repeated(string(6)),
  });
  const part = fc.record({ name: fc.string({ unit: 'binary' }), count: fc.maxSafeNat() });
  const whole = fc.record(
    {
      text: fc.string({ unit: 'binary' }),
      flag: fc.boolean(),
      ratio: fc.double(),
      data: fc.uint8Array(),
      count: fc.maxSafeNat(),
      part,
      parts: fc.array(part, { minLength: 1 }),
      names: fc.array(fc.string(), { minLength: 1 }),
    },
    { requiredKeys: [] },
  );

  it('is read as it was written, whatever its fields', () => {
    fc.assert(
      fc.property(whole, (value) => {
        const read = Whole.decode(Whole.encode(value));
        const { data, ...rest } = read;
        const { data: written, ...others } = value;
        expect(rest).toEqual(others);
        expect(data && [...data]).toEqual(written && [...written]);
      }),
    );
  });

  it('is read without the fields that it does not declare', () => {
    const Known = message({ ratio: double(11) });
    fc.assert(
      fc.property(whole, (value) => {
        expect(Known.decode(Whole.encode(value))).toEqual('ratio' in value ? { ratio: value.ratio } : {});
      }),
    );
  });

  it('has the bytes of the standard encoding', () => {
    // The examples of the documentation of Protocol Buffers.
    expect([...message({ a: integer(1) }).encode({ a: 150 })]).toEqual([0x08, 0x96, 0x01]);
    expect([...message({ b: string(2) }).encode({ b: 'testing' })]).toEqual([0x12, 7, ...Buffer.from('testing')]);
    expect([...message({ a: integer(1) }).encode({ a: -2n })]).toEqual([
      0x08,
      0xfe,
      ...new Array<number>(8).fill(0xff),
      0x01,
    ]);
  });

  it('that ends too early is refused', () => {
    const encoded = Part.encode({ name: 'a longer text', count: 1 });
    expect(() => Part.decode(encoded.subarray(0, 5))).toThrow(RangeError);
  });
});

describe('an address', () => {
  it('has the parts that all clients of Spark use', () => {
    const given = { remote: 'sc://spark.example:443/;use_ssl=true;user_id=ada;token=a%3Db' };
    expect(addressOf(given)).toEqual({ target: 'spark.example:443', usesTls: true, userId: 'ada', token: 'a=b' });
    expect(addressOf({ remote: 'sc://localhost' })).toMatchObject({ target: 'localhost:15002', usesTls: false });
  });

  it.each(['spark://host:7077', 'sc://', 'sc://host:99999', 'sc://host/path', 'sc://host/;x=1'])(
    '%s is refused',
    (remote) => {
      const error = expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION' }) as unknown as Error;
      expect(() => sparkSource({ remote, sql: 'SELECT 1' })).toThrow(error);
      expect(() => sparkStatement({ remote, sql: 'SELECT 1' })).toThrow(error);
    },
  );

  it('of another machine needs TLS for a token', () => {
    expect(() => addressOf({ remote: 'sc://spark.example', token: 'secret' })).toThrow('use_ssl=true');
    expect(() => addressOf({ remote: 'sc://127.0.0.1', token: 'secret' })).not.toThrow();
  });
});
