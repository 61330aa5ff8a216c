/** `kafkaSource` on a real broker. Records are written by kafkajs, which knows nothing of our client. */
import { expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, type RunSummary } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import { filter, firstValueFrom } from 'rxjs';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { KafkaSource } from '#lib/connectors/kafka/kafka-source.js';
import { kafkaSource, string, type KafkaRecord, type KafkaSourceOptions } from 'millrace/kafka';
import { describeWithBroker, type TestBroker } from '../../kafka/with-broker.js';

type Options = Partial<KafkaSourceOptions<KafkaRecord<string | null>, string | null>>;

async function readAll(
  broker: TestBroker,
  topic: string,
  options: Options = {},
): Promise<{ readonly records: KafkaRecord<string | null>[]; readonly summary: RunSummary }> {
  const records: KafkaRecord<string | null>[] = [];
  const { cluster } = broker;
  const Read = defineWorkflow({
    name: 'Read',
    build: (flow) =>
      flow
        .task(
          'Records',
          kafkaSource({
            cluster,
            topic,
            until: 'end',
            value: string(),
            record: (record: KafkaRecord<string | null>) => record,
            ...options,
          }),
        )
        .task(
          'Keep',
          ['Records'],
          sinkTask((record: KafkaRecord<string | null>) => {
            records.push(record);
          }),
        ),
  });
  const summary = await Read.run().finished;
  return { records, summary };
}

const placeOf = ({ partition, offset, value }: KafkaRecord<string | null>): string =>
  `${partition}/${offset} ${String(value)}`;

describeWithBroker('a kafkaSource', (broker) => {
  it('reads each partition to the end it had at the start, with keys, headers and offsets', async () => {
    const topic = await broker().topic(2);
    await broker().write(topic, [
      { key: 'a', value: 'one', headers: { kind: 'first' }, timestamp: '1700000000000' },
      { key: 'b', value: '', partition: 1 },
      { key: null, value: 'three' },
      { key: 'c', value: null },
    ]);
    const { records, summary } = await readAll(broker(), topic);
    expect(summary.outcome).toBe('completed');
    expect(records.map(placeOf).sort()).toEqual(['0/0 one', '0/1 three', '0/2 null', '1/0 ']);
    const first = records.find(({ value }) => value === 'one');
    expect(first).toMatchObject({ topic, key: 'a', timestamp: 1_700_000_000_000 });
    expect(first?.headers.map(([name, bytes]) => [name, Buffer.from(bytes ?? []).toString()])).toEqual([
      ['kind', 'first'],
    ]);
  });

  it('ends at once where there is nothing, and where the last record is a marker', async () => {
    const empty = await broker().topic(3);
    expect((await readAll(broker(), empty)).records).toEqual([]);
    const topic = await broker().topic();
    await broker().transact(topic, [{ value: 'a' }, { value: 'b' }], 'commit');
    expect((await readAll(broker(), topic)).records.map(placeOf)).toEqual(['0/0 a', '0/1 b']);
  });

  it('reads nothing of aborted transactions, also where each is larger than a fetch', async () => {
    const topic = await broker().topic();
    const id = 'one producer';
    const large = (name: string): { value: string }[] =>
      [...new Array(12).keys()].map((n) => ({ value: `${name}${n} ${'x'.repeat(100_000)}` }));
    await broker().transact(topic, [{ value: 'a' }], 'abort', id);
    await broker().transact(topic, large('b'), 'abort', id);
    await broker().transact(topic, [{ value: 'c' }, { value: 'd' }], 'commit', id);
    await broker().transact(topic, large('e'), 'abort', id);
    await broker().write(topic, [{ value: 'f' }]);
    const { records } = await readAll(broker(), topic);
    expect(records.map(({ value }) => value)).toEqual(['c', 'd', 'f']);
  });

  it('gives up a record that cannot be read, with its place and text', async () => {
    const topic = await broker().topic();
    await broker().write(topic, [{ value: '{"n":1}' }, { key: 'k', value: '{"n":' }, { value: '2' }]);
    const letters = recordingDeadLetters();
    const numbers: unknown[] = [];
    const { cluster } = broker();
    const Read = defineWorkflow({
      name: 'Read',
      build: (flow) =>
        flow.task('In', kafkaSource({ cluster, topic, until: 'end' })).task(
          'Keep',
          ['In'],
          sinkTask((value: unknown) => void numbers.push(value)),
        ),
    });
    await Read.run(undefined, { deadLetters: letters }).finished;
    expect(numbers).toEqual([{ n: 1 }, 2]);
    expect(letters.letters).toMatchObject([
      {
        code: 'MILLRACE_INVALID_INPUT',
        lineage: { root: 'In', partition: 0, number: 1 },
        record: { topic, partition: 0, offset: 1, key: 'k', value: '{"n":' },
      },
    ]);
  });

  it('continues where its group stopped, and leaves out what is done above that', async () => {
    const topic = await broker().topic(2);
    const groupId = topic;
    const some = (name: string): { value: string; partition: number }[] =>
      [...new Array(6).keys()].map((n) => ({ value: `${name}${n}`, partition: n % 2 }));
    await broker().write(topic, some('a'));
    expect((await readAll(broker(), topic, { groupId })).records).toHaveLength(6);
    expect((await readAll(broker(), topic, { groupId })).records).toEqual([]);
    await broker().write(topic, some('b'));
    const source = new KafkaSource({ cluster: broker().cluster, topic, groupId, value: string(), until: 'end' });
    await source.open(contextOfTest('In'), undefined);
    // Of partition 0, offsets 4 and 5 have settled, and 3 has not.
    await source.settled([{ partition: 0, watermark: 3, done: [4, 6] }]);
    await source.close();
    const { records } = await readAll(broker(), topic, { groupId });
    expect(records.map(placeOf).sort()).toEqual(['0/3 b0', '1/3 b1', '1/4 b3', '1/5 b5']);
    const admin = await broker().asAdmin();
    const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
    expect(offsets?.partitions.map(({ offset }) => offset)).toEqual(['6', '6']);
  });

  it.each([
    ['earliest', 'earliest', ['0/0 a', '0/1 b', '0/2 c']],
    ['latest', 'latest', []],
    ['an offset', { offsets: { 0: 1 } }, ['0/1 b', '0/2 c']],
    ['a time', { timestamp: 1_700_000_002_000 }, ['0/2 c']],
    ['a time in the future', { timestamp: 4_000_000_000_000 }, []],
  ] as const)('begins at %s', async (_, from, expected) => {
    const topic = await broker().topic();
    await broker().write(
      topic,
      ['a', 'b', 'c'].map((value, n) => ({ value, timestamp: String(1_700_000_000_000 + n * 1000) })),
    );
    expect((await readAll(broker(), topic, { from })).records.map(placeOf)).toEqual(expected);
  });

  it('stops where records were removed before they were read, unless it is asked to go on', async () => {
    const topic = await broker().topic();
    await broker().write(topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    await broker().removeBefore(topic, 2);
    const from = { offsets: { 0: 0 } };
    await expect(readAll(broker(), topic, { from })).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringContaining('the records 0 to 1 were removed'),
    });
    const { records } = await readAll(broker(), topic, { from, onOffsetLost: 'earliest' });
    expect(records.map(placeOf)).toEqual(['0/2 c']);
  });

  it('stops where the topic ends before its place, unless it is told to go on', async () => {
    const topic = await broker().topic();
    await broker().write(topic, [{ value: 'a' }]);
    const from = { offsets: { 0: 5 } };
    await broker().write(topic, [{ value: 'b' }]);
    await expect(readAll(broker(), topic, { from, until: 'stopped' })).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringContaining('ends at offset 2, before offset 5: it was truncated'),
    });
  });

  it('begins a group whose offsets have expired where `startWhenNew` says', async () => {
    const topic = await broker().topic();
    await broker().write(topic, [{ value: 'a' }]);
    const options = { groupId: topic } as const;
    await readAll(broker(), topic, options);
    const admin = await broker().asAdmin();
    await admin.deleteGroups([topic]);
    expect((await readAll(broker(), topic, { ...options, startWhenNew: 'latest' })).records).toEqual([]);
    await admin.deleteGroups([topic]);
    expect((await readAll(broker(), topic, options)).records.map(placeOf)).toEqual(['0/0 a']);
  });

  it('stops when its topic is deleted and created again, and names it', async () => {
    const topic = await broker().topic();
    await broker().write(topic, [{ value: 'a' }]);
    const admin = await broker().asAdmin();
    const { cluster } = broker();
    const run = defineWorkflow({
      name: 'Live',
      build: (flow) =>
        flow.task('In', kafkaSource<string | null>({ cluster, topic, value: string() })).task(
          'Keep',
          ['In'],
          sinkTask(() => undefined),
        ),
    }).run();
    // Handled from the beginning: it may reject before the topic is created again.
    const ended = expect(run.finished).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringContaining(`Topic '${topic}' was deleted and created again`),
    });
    await firstValueFrom(run.output$('Keep'));
    await admin.deleteTopics({ topics: [topic] });
    for (let isCreated = false; !isCreated;) {
      isCreated = await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] }).catch(() => false);
    }
    await ended;
  });

  it('goes on with new records until it is stopped, past a partition that stays empty', async () => {
    const topic = await broker().topic(2);
    const { cluster } = broker();
    const seen: string[] = [];
    const Live = defineWorkflow({
      name: 'Live',
      build: (flow) =>
        flow.task('In', kafkaSource<string | null>({ cluster, topic, value: string() })).task(
          'Keep',
          ['In'],
          sinkTask((value: string | null) => void seen.push(String(value))),
        ),
    });
    const run = Live.run();
    const arrived = (value: string): Promise<unknown> =>
      firstValueFrom(run.output$('Keep').pipe(filter((record) => record === value)));
    for (const value of ['a', 'b']) {
      const arrives = arrived(value);
      await broker().write(topic, [{ value }]);
      await arrives;
    }
    run.drain();
    expect((await run.finished).outcome).toBe('drained');
    expect(seen).toEqual(['a', 'b']);
  });
});
