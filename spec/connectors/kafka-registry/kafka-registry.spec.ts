/** Formats with a schema registry: first by themselves, then on a real broker. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import avsc from 'avsc';
import fc from 'fast-check';
import { defineWorkflow, sourceTask, syncTask } from 'millrace';
import { kafkaSink, kafkaSource, type Serde, type SerdeFactory, type SerdeUse } from 'millrace/kafka';
import { avro, jsonSchema, schemaRegistry, type SchemaRegistry } from 'millrace/kafka-registry';
import { recordingDeadLetters } from 'millrace/testing';
import { z } from 'zod';
import { Secrets } from '#lib/text/secrets.js';
import { registryStub, type RegistryStub } from '../../kafka/registry-stub.js';
import { describeWithBroker } from '../../kafka/with-broker.js';

const Member = {
  type: 'record',
  name: 'Member',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'spent', type: 'double' },
    { name: 'visits', type: 'long', default: 0 },
    { name: 'note', type: ['null', 'string'], default: null },
  ],
};
interface Member {
  readonly id: string;
  readonly spent: number;
  readonly visits: number;
  readonly note: string | null;
}
const ann: Member = { id: 'ann', spent: 12.5, visits: 3, note: null };

let stub: RegistryStub;
let registry: SchemaRegistry;
beforeEach(async () => {
  stub = await registryStub();
  registry = schemaRegistry({ url: stub.url, timeoutMs: 10_000 });
});
afterEach(() => stub.close());

const use = (direction: 'read' | 'write', more: Partial<SerdeUse> = {}): SerdeUse => ({
  topic: 'members',
  part: 'value',
  direction,
  secrets: new Secrets(),
  signal: new AbortController().signal,
  ...more,
});
const writer = <T>(format: SerdeFactory<T>): Promise<Serde<T>> => format.open(use('write'));
const reader = <T>(format: SerdeFactory<T>): Promise<Serde<T>> => format.open(use('read'));
async function read<T>(serde: Serde<T>, bytes: Uint8Array | null): Promise<T> {
  await serde.load?.(bytes);
  return serde.deserialize(bytes);
}
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('avro', () => {
  it('reads what it has written, whatever the values are', async () => {
    const serde = await writer(avro<Member>({ registry, schema: Member, register: true }));
    const members = fc.record({
      id: fc.string({ unit: 'binary' }),
      spent: fc.double({ noNaN: true }),
      visits: fc.maxSafeInteger(),
      note: fc.option(fc.string()),
    });
    await fc.assert(
      fc.asyncProperty(members, async (member) => {
        const bytes = serde.serialize(member) as Uint8Array;
        // The bytes are a view somewhere in the answer of a broker.
        const inside = new Uint8Array([1, 2, 3, ...bytes, 4]).subarray(3, 3 + bytes.length);
        expect({ ...(await read(serde, inside)) }).toEqual(member);
      }),
    );
  });

  it('writes the id of the schema in front of bytes that any other Avro library reads', async () => {
    stub.add('others-value', { type: 'string' });
    const id = stub.add('members-value', Member);
    const bytes = (await writer(avro({ registry, schema: Member }))).serialize(ann) as Uint8Array;
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, id]);
    expect({
      ...(avsc.Type.forSchema(Member as avsc.Schema).fromBuffer(Buffer.from(bytes.subarray(5))) as object),
    }).toEqual(ann);
  });

  it('registers a schema only if it should, under the topic and the part of the record', async () => {
    await expect(writer(avro({ registry, schema: Member }))).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringMatching(
        /does not have this schema under the subject 'members-value'.*register: true/,
      ) as unknown,
    });
    await avro({ registry, schema: Member, register: true }).open(use('write', { part: 'key' }));
    await writer(avro({ registry, schema: JSON.stringify(Member), register: true, subject: 'own/name' }));
    expect(stub.requests).toEqual([
      'POST /subjects/members-value',
      'POST /subjects/members-key/versions',
      'POST /subjects/own%2Fname/versions',
    ]);
  });

  it('converts values of older schemas to its own, and asks for each schema once', async () => {
    const old = { ...Member, fields: Member.fields.slice(0, 2) };
    const older = await writer(avro({ registry, schema: old, register: true, subject: 'a' }));
    const serde = await reader(avro<Member>({ registry, schema: Member }));
    const bytes = older.serialize({ id: 'bob', spent: 1 });
    const some = [bytes, bytes, null].map((one) => read(serde, one));
    expect((await Promise.all(some)).map(plain)).toEqual([
      { id: 'bob', spent: 1, visits: 0, note: null },
      { id: 'bob', spent: 1, visits: 0, note: null },
      null,
    ]);
    expect(stub.requests.filter((one) => one.startsWith('GET'))).toEqual(['GET /schemas/ids/1']);
  });

  it('never rounds a 64-bit number: it is an error, or a bigint', async () => {
    const big = 2n ** 60n + 1n;
    const schema = { type: 'record', name: 'Big', fields: [{ name: 'n', type: 'long' }] };
    const exact = await writer(avro({ registry, schema, register: true, longs: 'bigint' }));
    const bytes = exact.serialize({ n: big });
    expect({ ...((await read(exact, bytes)) as object) }).toEqual({ n: big });
    await expect(read(await reader(avro({ registry })), bytes)).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_INPUT',
    });
  });

  it('names the field that does not fit', async () => {
    const serde = await writer(avro({ registry, schema: Member, register: true }));
    expect(() => serde.serialize({ ...ann, spent: 'much' })).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_INVALID_OUTPUT',
        message: expect.stringContaining('`spent`') as unknown,
      }),
    );
  });

  it.each([
    ['plain JSON', new TextEncoder().encode('{"id":1}'), /begins with a zero byte.*got bytes that begin with 123/],
    ['no bytes', new Uint8Array(), /got 0 bytes/],
    ['an unknown schema', Uint8Array.of(0, 0, 0, 0, 77, 1), /has no schema 77/],
    ['a cut value', Uint8Array.of(0, 0, 0, 0, 1, 40), /is not Avro of schema 1/],
    ['JSON Schema', Uint8Array.of(0, 0, 0, 0, 2, 1), /schema 2 is not Avro but JSON/],
    ['references', Uint8Array.of(0, 0, 0, 0, 3, 1), /schema 3 refers to other schemas/],
    ['another record', Uint8Array.of(0, 0, 0, 0, 4, 2), /values of schema 4 cannot be read with `schema`/],
    ['a broken schema', Uint8Array.of(0, 0, 0, 0, 5, 2), /values of schema 5 cannot be read/],
  ])('ends a record with %s, and no other', async (_, bytes, message) => {
    stub.add('members-value', Member);
    stub.add('json', { type: 'object' }, { schemaType: 'JSON' });
    stub.add('parts', { type: 'string' }, { references: [{ name: 'x' }] });
    stub.add('other', { type: 'int' });
    stub.add('broken', '{');
    const serde = await reader(avro({ registry, schema: Member }));
    await expect(read(serde, bytes)).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_INPUT',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('refuses to write without a schema, and a schema that is none', async () => {
    await expect(writer(avro({ registry }))).rejects.toMatchObject({
      message: expect.stringContaining('avro() needs `schema`') as unknown,
    });
    await expect(writer(avro({ registry, schema: { type: 'recrod' } }))).rejects.toMatchObject({
      code: 'MILLRACE_INVALID_OPTION',
      message: expect.stringContaining('is not an Avro schema') as unknown,
    });
  });
});

describe('jsonSchema', () => {
  const Visit = z.object({ id: z.string(), n: z.number() });

  it('writes JSON with the id of its schema, and validates what it reads', async () => {
    const serde = await writer(
      jsonSchema({ registry, schema: z.toJSONSchema(Visit), validate: Visit, register: true }),
    );
    const bytes = serde.serialize({ id: 'a', n: 1 }) as Uint8Array;
    expect([...bytes.subarray(0, 5)]).toEqual([0, 0, 0, 0, 1]);
    expect(serde.deserialize(bytes)).toEqual({ id: 'a', n: 1 });
    expect([serde.serialize(null as never), serde.serialize(undefined as never)]).toEqual([null, null]);
    const wrong = Uint8Array.of(...bytes.subarray(0, 5), ...new TextEncoder().encode('{"id":2}'));
    expect(() => serde.deserialize(wrong)).toThrow(expect.objectContaining({ code: 'MILLRACE_INVALID_INPUT' }));
    expect(await registry.schema(1, new AbortController().signal)).toMatchObject({ type: 'JSON' });
  });
});

describe('a schema registry', () => {
  it('is asked again while it is overloaded, and not for longer than its timeout', async () => {
    stub.fail(503, 3);
    await writer(avro({ registry, schema: Member, register: true }));
    stub.fail(500, 1000);
    const impatient = schemaRegistry({ url: stub.url, timeoutMs: 1000 });
    await expect(impatient.schema(1, new AbortController().signal)).rejects.toMatchObject({
      code: 'MILLRACE_NETWORK',
      message: expect.stringMatching(/did not answer for 1 s: it answers with status 500/) as unknown,
    });
  });

  it('needs its login, which is masked in everything that is written', async () => {
    const own = await registryStub({ authorization: `Basic ${Buffer.from('ann:correct-horse').toString('base64')}` });
    try {
      const format = (password: string): SerdeFactory<unknown> =>
        avro({
          registry: schemaRegistry({ url: own.url, username: 'ann', password }),
          schema: Member,
          register: true,
        });
      const secrets = new Secrets();
      await format('correct-horse').open(use('write', { secrets }));
      expect(secrets.text('it is correct-horse')).not.toContain('correct-horse');
      await expect(writer(format('wrong-horse'))).rejects.toMatchObject({
        code: 'MILLRACE_KAFKA',
        message: expect.stringMatching(/status 401: Unauthorized\. Check its `username`/) as unknown,
      });
    } finally {
      await own.close();
    }
  });

  it('that refuses an incompatible schema is quoted', async () => {
    const own = await registryStub({ isFrozen: true });
    try {
      const format = avro({ registry: schemaRegistry({ url: own.url }), schema: Member, register: true });
      await expect(writer(format)).rejects.toMatchObject({
        message: expect.stringMatching(/status 409: Schema being registered is incompatible/) as unknown,
      });
    } finally {
      await own.close();
    }
  });

  it('can be asked by one run after another run that asked first was stopped', async () => {
    stub.fail(503, 2);
    const stopped = new AbortController();
    const id = stub.add('members-value', Member);
    const first = registry.schema(id, stopped.signal);
    const second = registry.schema(id, new AbortController().signal);
    stopped.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect(await second).toMatchObject({ type: 'AVRO' });
  });

  it.each([
    [{ url: 'registry:8081' }, /begin with http/],
    [{ url: 'http://ann:secret@registry' }, /Use `username` and `password`/],
    [{ url: 'http://registry', username: 'ann' }, /both `username` and `password`/],
    [{ url: 'http://registry', username: 'ann', password: 'x', token: 'y' }, /Remove one/],
  ])('refuses the options %j', (options, message) => {
    expect(() => schemaRegistry(options)).toThrow(
      expect.objectContaining({ code: 'MILLRACE_INVALID_OPTION', message: expect.stringMatching(message) as unknown }),
    );
  });
});

describeWithBroker('topics whose schemas are in a registry', (broker) => {
  it('are written and read, and a value without a schema costs one record', async () => {
    const topic = await broker().topic(2);
    const { cluster } = broker();
    const members = [...new Array<undefined>(50).keys()].map((n) => ({ ...ann, id: `m${n}`, visits: n }));
    const Fill = defineWorkflow({
      name: 'Fill',
      build: (flow) =>
        flow.task('Members', sourceTask(members)).task(
          'Out',
          ['Members'],
          kafkaSink({
            cluster,
            topic,
            guarantee: 'at-least-once',
            key: ({ id }: Member) => id,
            value: avro<Member>({ registry, schema: Member, register: true }),
          }),
        ),
    });
    await Fill.run().finished;
    await broker().write(topic, [{ key: 'x', value: '{"id":"x"}' }]);
    const letters = recordingDeadLetters();
    const seen: Member[] = [];
    const Read = defineWorkflow({
      name: 'Read',
      build: (flow) =>
        flow.task('Members', kafkaSource({ cluster, topic, until: 'end', value: avro<Member>({ registry }) })).task(
          'Seen',
          ['Members'],
          syncTask((member) => seen.push(member)),
        ),
    });
    await Read.run(undefined, { deadLetters: letters }).finished;
    expect(seen.map(plain).sort((a, b) => (a as Member).visits - (b as Member).visits)).toEqual(members);
    expect(letters.letters).toHaveLength(1);
    expect(letters.letters[0]).toMatchObject({ code: 'MILLRACE_INVALID_INPUT', record: { key: 'x' } });
  });
});
