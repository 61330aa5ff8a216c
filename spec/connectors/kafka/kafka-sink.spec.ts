/** `kafkaSink` on a real broker, judged by kafkajs as a reader of committed data. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, MillraceError, sourceTask, syncTask, type RunOptions, type RunSummary } from 'millrace';
import { kafka, kafkaSink, kafkaSource, type KafkaSinkOptions } from 'millrace/kafka';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import type { Json, SinkRows } from 'millrace/connect';
import type { KafkaPort, NewRecord } from '#lib/connectors/kafka/port.js';
import { contextOfTest } from '#lib/testing/connector-context.js';
import { SharedTransaction } from '#lib/connectors/kafka/shared-transaction.js';
import { topicSink, type TopicSink } from '#lib/connectors/kafka/kafka-sink.js';
import { describeWithBroker, type SeenRecord, type TestBroker } from '../../kafka/with-broker.js';
import { SLOW_RECORDS, SLOW_WINDOW, writingSlowly } from './slow-writing.js';

interface Item {
  readonly id: string;
  readonly n: number;
}

type TwoPhaseSink = TopicSink<Item> & { prepare(): Promise<Json>; commit(prepared: Json): Promise<void> };

const items = (count: number): Item[] => [...new Array(count).keys()].map((n) => ({ id: `k${n % 7}`, n }));
const numbersIn = (seen: readonly SeenRecord[]): number[] =>
  seen.map(({ value }) => (JSON.parse(value as string) as Item).n).sort((a, b) => a - b);
const upTo = (count: number): number[] => [...new Array(count).keys()];

function writeAll(
  { cluster }: TestBroker,
  topic: string,
  records: readonly (Item | null)[],
  options: Partial<KafkaSinkOptions<Item | null>> = {},
  run: RunOptions = {},
): Promise<RunSummary> {
  const key = (item: Item | null): string => item?.id ?? 'none';
  const Write = defineWorkflow({
    name: 'Write',
    build: (flow) =>
      flow
        .task('Items', sourceTask(records))
        .task('Out', ['Items'], kafkaSink<Item | null>({ cluster, topic, key, ...options })),
  });
  return Write.run(undefined, run).finished;
}

describeWithBroker(
  'a kafkaSink',
  (broker) => {
    it('writes records of one key to one partition, in order, with headers and tombstones', async () => {
      const topic = await broker().topic(3);
      const headers = (item: Item | null): Record<string, string> => ({ kind: item === null ? 'gone' : 'item' });
      await writeAll(broker(), topic, [...items(200), null], { headers }, { checkpoints: memoryCheckpoints().begin() });
      const seen = await broker().read(topic);
      expect(numbersIn(seen.filter(({ value }) => value !== null))).toEqual(upTo(200));
      expect(seen.filter(({ value }) => value === null)).toMatchObject([{ key: 'none', headers: { kind: 'gone' } }]);
      for (const key of new Set(seen.map((one) => one.key))) {
        const own = seen.filter((one) => one.key === key && one.value !== null);
        expect(new Set(own.map(({ partition }) => partition)).size).toBeLessThanOrEqual(1);
        const numbers = own.map(({ value }) => (JSON.parse(value as string) as Item).n);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      }
    });

    it('warns of a topic that can lose what was acknowledged, if it should write exactly once', async () => {
      const topic = await broker().topic();
      const noticesOf = async (options: Partial<KafkaSinkOptions<Item | null>>): Promise<readonly string[]> => {
        const notices: string[] = [];
        const sink = topicSink({ cluster: broker().cluster, topic, ...options });
        await sink.open({ ...contextOfTest('Out'), notice: (message) => notices.push(message) }, undefined);
        await sink.close('completed');
        return notices;
      };
      expect(await noticesOf({})).toEqual([
        `Topic '${topic}' can lose acknowledged records if a broker fails: it has one copy, and 3 are recommended; its \`min.insync.replicas\` is 1, and 2 is recommended`,
      ]);
      expect(await noticesOf({ guarantee: 'at-least-once' })).toEqual([]);
    });

    it.each(['gzip', 'snappy', 'lz4'] as const)('writes batches that other clients read: %s', async (compression) => {
      const topic = await broker().topic();
      await writeAll(broker(), topic, items(50), { compression });
      if (compression === 'gzip') {
        expect(numbersIn(await broker().read(topic))).toEqual(upTo(50));
        return;
      }
      // kafkajs needs plug-ins for the others.
      const { cluster } = broker();
      const found: number[] = [];
      const Read = defineWorkflow({
        name: 'Read',
        build: (flow) =>
          flow.task('In', kafkaSource<Item>({ cluster, topic, until: 'end' })).task(
            'See',
            ['In'],
            syncTask(({ n }: Item) => found.push(n)),
          ),
      });
      await Read.run().finished;
      expect(found).toEqual(upTo(50));
    });

    it('writes each row at once where it need not write it once', async () => {
      const topic = await broker().topic(2);
      await writeAll(broker(), topic, items(1200), { guarantee: 'at-least-once' });
      expect(numbersIn(await broker().read(topic))).toEqual(upTo(1200));
    });

    it('gives up a record that is too large for the topic, and no other', async () => {
      const topic = await broker().topic(1, { 'max.message.bytes': '2000' });
      const letters = recordingDeadLetters();
      const large = { id: 'x'.repeat(3000), n: 3 };
      const records = [...items(3), large, { id: 'a', n: 4 }];
      const { tasks } = await writeAll(broker(), topic, records, {}, { deadLetters: letters });
      expect(tasks['Out']).toMatchObject({ out: 4, deadLettered: 1 });
      expect(letters.letters.map(({ message }) => message)).toEqual([expect.stringContaining('accepts 2000')]);
      expect(numbersIn(await broker().read(topic))).toEqual([0, 1, 2, 4]);
    });

    it('shows nothing of a run that fails', async () => {
      const topic = await broker().topic();
      const { cluster } = broker();
      const Fail = defineWorkflow({
        name: 'Fail',
        build: (flow) =>
          flow
            .task('Items', sourceTask(items(2000)))
            .task('Out', ['Items'], kafkaSink<Item>({ cluster, topic }))
            .task(
              'Break',
              ['Out'],
              syncTask(
                ({ n }: Item) => {
                  if (n === 700) throw new Error('broken');
                  return n;
                },
                { onFailure: 'fail' },
              ),
            ),
      });
      await expect(Fail.run().finished).rejects.toThrow('broken');
      expect(await broker().read(topic)).toEqual([]);
    });

    it('names a topic that does not exist, and how to create it', async () => {
      await expect(writeAll(broker(), 'nowhere', items(1))).rejects.toMatchObject({
        code: 'MILLRACE_KAFKA',
        message: expect.stringContaining("There is no topic 'nowhere'. Create it"),
      });
    });

    it('lets nothing of a replaced incarnation be written', async () => {
      const topic = await broker().topic();
      const incarnation = (): TopicSink<Item> => topicSink<Item>({ cluster: broker().cluster, topic });
      const rowsOf = (sink: TopicSink<Item>, numbers: readonly number[]): SinkRows<NewRecord> => {
        const rows = numbers.map((n) => sink.encode({ id: 'a', n }));
        return { root: 'Items', partition: 0, numbers, rows };
      };
      const zombie = incarnation();
      await zombie.open(contextOfTest('Out'), undefined);
      await zombie.write(rowsOf(zombie, [0, 1]));
      const next = incarnation();
      await next.open(contextOfTest('Out'), { prepared: undefined, isAnew: false });
      await expect(zombie.write(rowsOf(zombie, [2]))).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
      await zombie.close('failed');
      await next.write(rowsOf(next, [0, 1, 2]));
      const sink = next as TopicSink<Item> & { prepare(): Promise<never>; commit(mark: never): Promise<void> };
      await sink.commit(await sink.prepare());
      await next.close('completed');
      expect(numbersIn(await broker().read(topic))).toEqual([0, 1, 2]);
    });

    it('aborts nothing of its successor if it was suspended after a commit, or while it opened', async () => {
      const topic = await broker().topic();
      const place = (): TwoPhaseSink =>
        topicSink<Item>({ cluster: broker().cluster, topic, transactionalId: topic }) as TwoPhaseSink;
      const row = (sink: TopicSink<Item>, n: number): SinkRows<NewRecord> => ({
        ...{ root: 'Items', partition: 0, numbers: [n], rows: [sink.encode({ id: 'a', n })] },
      });
      const state = { isLost: false };
      const assertOwned = (): void => {
        if (state.isLost) throw new MillraceError('MILLRACE_LOCKED', 'Another process has the run');
      };
      const former = place();
      await former.open({ ...contextOfTest('Out'), assertOwned }, undefined);
      await former.write(row(former, 0));
      const prepared = await former.prepare();
      const { client } = former as unknown as { client: KafkaPort };
      const endTransaction = client.endTransaction.bind(client);
      const next = place();
      let counted: Json = null;
      client.endTransaction = async (producer, isCommitted) => {
        const ended = await endTransaction(producer, isCommitted);
        // Here the process of `former` is suspended.
        await next.open(contextOfTest('Out'), { prepared, isAnew: false });
        await next.write(row(next, 1));
        counted = await next.prepare();
        state.isLost = true;
        return ended;
      };
      await expect(former.commit(prepared)).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
      const late = place();
      await expect(
        late.open({ ...contextOfTest('Out'), assertOwned }, { prepared, isAnew: false }),
      ).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
      await next.commit(counted);
      for (const sink of [former, late, next]) await sink.close('completed');
      expect(numbersIn(await broker().read(topic))).toEqual([0, 1]);
    });

    it('gives up a record whose key or header is neither a text nor bytes', async () => {
      const topic = await broker().topic();
      const deadLetters = recordingDeadLetters();
      const key = (item: Item | null): string => (item?.n === 1 ? (1 as unknown as string) : 'a');
      const headers = (item: Item | null): Record<string, string> => ({ n: (item?.n === 2 ? {} : 'n') as string });
      await writeAll(broker(), topic, items(4), { key, headers }, { deadLetters });
      expect(numbersIn(await broker().read(topic))).toEqual([0, 3]);
      expect(deadLetters.letters.map(({ code, message }) => [code, message])).toEqual([
        ['MILLRACE_INVALID_OUTPUT', expect.stringContaining('Expected `key` of the kafkaSink of topic')],
        ['MILLRACE_INVALID_OUTPUT', expect.stringContaining("Expected the header 'n'")],
      ]);
    });

    it('is refused in two lanes at once, because rows of one would be committed with the other', () => {
      const { cluster } = broker();
      const shared = (isOver = false): SharedTransaction =>
        new SharedTransaction({ cluster, clusterId: 'c', isOver: () => isOver, write: () => Promise.resolve() });
      const sink = topicSink<Item>({ cluster, topic: 'out' }) as TopicSink<Item> & {
        enlist(transaction: object): void;
      };
      sink.enlist({});
      // A lane that has ended before its sink was opened.
      sink.enlist(shared(true));
      sink.enlist(shared());
      expect(() => {
        sink.enlist(shared());
      }).toThrow("The kafkaSink of topic 'out' is in two lanes at once");
    });

    it('never commits what a former incarnation that still lives has begun since its checkpoint', async () => {
      const topic = await broker().topic();
      const place = (): TopicSink<Item> & { prepare?(): Promise<unknown>; commit?(mark: never): Promise<void> } =>
        topicSink<Item>({ cluster: broker().cluster, topic, transactionalId: topic });
      const row = (sink: TopicSink<Item>, n: number): SinkRows<NewRecord> => ({
        ...{ root: 'Items', partition: 0, numbers: [n], rows: [sink.encode({ id: 'a', n })] },
      });
      const former = place();
      await former.open(contextOfTest('Out'), undefined);
      await former.write(row(former, 0));
      const prepared = (await former.prepare?.()) as never;
      await former.commit?.(prepared);
      await former.write(row(former, 1));
      // Without the group the next incarnation cannot see that the transaction of the checkpoint is committed.
      await (await broker().asAdmin()).deleteGroups([topic]);
      const next = place();
      await expect(next.open(contextOfTest('Out'), { prepared, isAnew: false })).rejects.toMatchObject({
        code: 'MILLRACE_RESUME',
      });
      await next.close('failed');
      await former.close('failed');
      expect(numbersIn(await broker().read(topic))).toEqual([0]);
    });

    it('refuses to resume where the broker gave up the transaction of the checkpoint', async () => {
      const topic = await broker().topic();
      const place = (): TopicSink<Item> & { prepare?(): Promise<unknown> } =>
        topicSink<Item>({ cluster: broker().cluster, topic, transactionalId: topic });
      const first = place();
      await first.open(contextOfTest('Out'), undefined);
      await first.write({ root: 'Items', partition: 0, numbers: [0], rows: [first.encode({ id: 'a', n: 0 })] });
      const prepared = (await first.prepare?.()) as never;
      await first.disconnect();
      // Another run with the same transactional id aborts it, as the broker does after the timeout.
      const other = place();
      await other.open(contextOfTest('Out'), undefined);
      await other.close('cancelled');
      const resumed = place();
      await expect(resumed.open(contextOfTest('Out'), { prepared, isAnew: false })).rejects.toMatchObject({
        code: 'MILLRACE_RESUME',
        message: expect.stringContaining(`not in topic '${topic}'`),
      });
      await resumed.close('failed');
    });

    it('reads no further while the brokers throttle it, and continues by itself', async () => {
      const topic = await broker().topic();
      const clientId = 'throttled';
      const { run, given } = writingSlowly(kafka({ brokers: [broker().address], clientId }), topic);
      await broker().throttle(clientId, 40_000);
      const running = run();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      expect(given()).toBeLessThan(SLOW_RECORDS);
      expect(running.counts['Items']?.out).toBeLessThanOrEqual((running.counts['Out']?.out ?? 0) + SLOW_WINDOW);
      await broker().throttle(clientId, 100_000_000);
      expect(await running.finished).toMatchObject({ outcome: 'completed' });
      expect(numbersIn(await broker().read(topic))).toEqual(upTo(SLOW_RECORDS));
    });

    it('survives the loss and the return of the broker in the middle of a run', async () => {
      const topic = await broker().topic(2);
      const { cluster } = broker();
      let bounced: Promise<void> | undefined;
      const Bounce = defineWorkflow({
        name: 'Bounce',
        build: (flow) =>
          flow
            .task('Items', sourceTask(items(5000)))
            .task(
              'Watch',
              ['Items'],
              syncTask((item: Item) => {
                if (item.n === 2000) bounced = broker().bounce();
                return item;
              }),
            )
            .task('Out', ['Watch'], kafkaSink<Item>({ cluster, topic, key: ({ id }) => id })),
      });
      const store = memoryCheckpoints();
      const options = { checkpointEvery: { everyRecords: 500 } };
      // A broker that was away for longer than a run waits ends the run, which is then resumed.
      const ended = await Bounce.run(undefined, { checkpoints: store.begin(), ...options }).finished.catch(
        () => undefined,
      );
      await bounced;
      if (ended?.outcome !== 'completed') {
        await Bounce.run(undefined, { checkpoints: store.begin(), resumeFrom: store.last }).finished;
      }
      expect(numbersIn(await broker().read(topic))).toEqual(upTo(5000));
    }, 120_000);
  },
  {},
);

describe('a Kafka cluster that cannot be reached', () => {
  it('fails the run after its timeout, with the address', async () => {
    const cluster = kafka({ brokers: ['127.0.0.1:1'], timeoutMs: 100 });
    const Run = defineWorkflow({
      name: 'Run',
      build: (flow) =>
        flow.task('Items', sourceTask(items(1))).task('Out', ['Items'], kafkaSink<Item>({ cluster, topic: 't' })),
    });
    await expect(Run.run().finished).rejects.toMatchObject({
      code: 'MILLRACE_NETWORK',
      message: expect.stringContaining('127.0.0.1:1'),
    });
  });
});
