/** The parts of the Kafka connector that need no broker. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { bytes, json, kafka, kafkaSink, kafkaSource, string } from 'millrace/kafka';
import { committedBatches, type StoredBatch } from '#lib/connectors/kafka/committed-records.js';
import { doneRanges, doneText } from '#lib/connectors/kafka/done-text.js';
import { partitionOf } from '#lib/execution/partition-key.js';
import { Secrets } from '#lib/text/secrets.js';
import { reported } from '../../support/reported.js';

const ranges = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 })), { maxLength: 60 })
  .map((pairs) => {
    let at = 0;
    return pairs.flatMap(([gap, length]) => {
      const from = at + gap;
      at = from + length;
      return [from, at];
    });
  });

describe('the done set in the metadata of an offset', () => {
  it('reads as it was written, from any offset', () => {
    fc.assert(
      fc.property(ranges, fc.nat(2 ** 40), (some, offset) => {
        const done = some.map((number) => offset + number);
        expect(doneRanges(offset, doneText(offset, done))).toEqual(done);
      }),
    );
  });

  it('never contains a record that is not done, and is never longer than a broker accepts', () => {
    const done = [...new Array(10_000).keys()].flatMap((i) => [3 * i + 1, 3 * i + 2]);
    const text = doneText(0, done);
    expect(text.length).toBeLessThan(4096);
    expect(doneRanges(0, text)).toEqual(done.slice(0, doneRanges(0, text).length));
    expect(doneRanges(0, text).length).toBeGreaterThan(2000);
  });

  it('leaves out what the offset already contains, and is empty for the metadata of others', () => {
    expect(doneText(10, [2, 5])).toBe('');
    expect(doneRanges(10, doneText(10, [8, 12, 15, 16]))).toEqual([10, 12, 15, 16]);
    expect(doneRanges(10, 'somebody else')).toEqual([]);
    expect(doneRanges(10, doneText(10, [11, 12, 15, 900]).slice(0, -1))).toEqual([11, 12]);
  });
});

describe('the partition of a key', () => {
  it('is that of other clients', () => {
    const others = kafkajs.Partitioners.DefaultPartitioner();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 100 }), (key, count) => {
        const partitionMetadata = [...new Array(count).keys()].map((partitionId) => ({
          ...{ partitionId, leader: 1, partitionErrorCode: 0, replicas: [], isr: [] },
        }));
        const message = { key: Buffer.from(key), value: null };
        expect(partitionOf(key, count)).toBe(others({ topic: 't', partitionMetadata, message }));
      }),
    );
  });
});

const marker = (producerId: bigint, at: bigint, kind: 'abort' | 'commit'): StoredBatch => {
  const key = Buffer.from([0, 0, 0, kind === 'abort' ? 0 : 1]);
  const record = { offsetDelta: 0, timestampDelta: 0n, key, value: null, headers: [] };
  return { ...batch(producerId, at, 0x30), records: [record] };
};

const batch = (producerId: bigint, firstOffset: bigint, attributes = 0x10): StoredBatch => ({
  ...{ firstOffset, lastOffsetDelta: 0, attributes, producerId, firstTimestamp: 0n, maxTimestamp: 0n, records: [] },
});

const visible = (
  batches: readonly StoredBatch[],
  aborted: readonly { producerId: bigint; firstOffset: bigint }[],
): number[] =>
  [...committedBatches(batches, aborted)].flatMap((one) => (one.isVisible ? [Number(one.batch.firstOffset)] : []));

describe('records of aborted transactions', () => {
  it('are left out up to the marker of their producer, and no others', () => {
    const batches = [
      batch(1n, 0n),
      batch(2n, 1n),
      marker(1n, 2n, 'abort'),
      batch(1n, 3n),
      marker(1n, 4n, 'commit'),
      batch(1n, 5n),
      batch(9n, 6n, 0),
      marker(1n, 7n, 'abort'),
      marker(2n, 8n, 'commit'),
    ];
    const aborted = [
      { producerId: 1n, firstOffset: 5n },
      { producerId: 1n, firstOffset: 0n },
    ];
    expect(visible(batches, aborted)).toEqual([1, 3, 6]);
  });

  it('are left out where their marker is in a later fetch', () => {
    expect(visible([batch(1n, 10n), batch(1n, 11n)], [{ producerId: 1n, firstOffset: 7n }])).toEqual([]);
    expect(
      visible([batch(1n, 12n), marker(1n, 13n, 'abort'), batch(1n, 14n)], [{ producerId: 1n, firstOffset: 7n }]),
    ).toEqual([14]);
  });
});

describe('formats', () => {
  const schema = {
    '~standard': {
      version: 1,
      vendor: 'own',
      validate: (value: unknown) =>
        typeof value === 'object' && value !== null ? { value } : { issues: [{ message: 'no object' }] },
    },
  } as const;

  it('read what they have written, tombstones included', () => {
    for (const value of [0, '', false, null, { a: [1] }]) {
      expect(json().deserialize(json().serialize(value))).toEqual(value);
    }
    for (const value of ['', 'ä', null]) expect(string().deserialize(string().serialize(value))).toBe(value);
    for (const value of [Uint8Array.of(), Uint8Array.of(0, 255), null]) {
      expect(bytes().deserialize(bytes().serialize(value))).toEqual(value);
    }
  });

  it('copy bytes, so that no record keeps the answer of a broker', () => {
    const some = new Uint8Array(100).subarray(10, 12);
    expect(bytes().deserialize(some)?.buffer.byteLength).toBe(2);
  });

  it('refuse what they cannot read or write', () => {
    expect(() => json().deserialize(Buffer.from('{'))).toThrow('the value is not JSON');
    expect(() => json(schema).deserialize(Buffer.from('1'))).toThrow('the value: no object, got 1 (number)');
    expect(() => json(schema).deserialize(null)).toThrow('no object, got null');
    expect(() => string().deserialize(Uint8Array.of(255))).toThrow('not UTF-8');
    expect(() => json().serialize(() => 1)).toThrow('JSON cannot represent the value');
  });
});

it.each([
  [{ mechanism: 'plain', username: 'u', password: 'canary-pass' }],
  [{ mechanism: 'oauthbearer', token: 'canary-token' }],
] as const)('a credential of a cluster is masked in all that a run writes: %j', (sasl) => {
  const secrets = new Secrets();
  kafka({ brokers: ['a:1'], sasl }).hideCredentials(secrets);
  expect(secrets.text('refused canary-pass and canary-token')).not.toContain(
    sasl.mechanism === 'plain' ? sasl.password : sasl.token,
  );
});

describe('options of the Kafka connector', () => {
  const cluster = kafka({ brokers: ['localhost:9092'] });

  it.each([
    [reported(kafka, { brokers: [] }), 'a list of `host:port`'],
    [reported(kafka, { brokers: ['localhost'] }), 'a list of `host:port`'],
    [reported(kafka, { brokers: ['a:1'], sals: {} }), '`sasl`'],
    [reported(kafka, { brokers: ['a:1'], sasl: { mechanism: 'plain', username: 'u' } }), '`password`'],
    [reported(kafka, { brokers: ['a:1'], sasl: { mechanism: 'oauthbearer' } }), '`token`'],
    [reported(kafkaSource, { topic: 't' }), '`cluster` of a kafkaSource to be made by kafka()'],
    [reported(kafkaSource, { cluster, topic: 't', from: 'committed' }), '`groupId`'],
    [reported(kafkaSource, { cluster, topic: 't', valeu: json() }), '`value`'],
    [reported(kafkaSink, { cluster, topic: 't', value: 'json' }), 'a format, such as json()'],
    [reported(kafkaSink, { cluster, topic: 't', guarantee: 'exactly once' }), "'exactly-once'"],
  ])('are refused in one sentence: %s', (message, part) => {
    expect(message).toContain(part);
  });
});
