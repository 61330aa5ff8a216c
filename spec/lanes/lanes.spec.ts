/** A workflow over several workers gives what one process gives, once, and survives what happens to workers. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { NewRecord } from '#lib/connectors/kafka/port.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import { LaneTransaction } from '#lib/lanes/lane-transaction.js';
import { createRun, deleteRun, startWorker, type SpreadOptions, type WorkerEvent } from 'millrace/lanes';
import { describeWithBroker } from '../kafka/with-broker.js';
import { isBad, LaneFlow, RECORDS } from './lane-flow.js';

const PARTITIONS = 3;
type Worker = ReturnType<typeof startWorker>;

describeWithBroker('a workflow in lanes', (broker) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-lanes-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const rowsOf = async (file: string): Promise<string[]> => (await readFile(file, 'utf8')).trim().split('\n').sort();

  it('takes back what a former owner of a lane has written, which can commit nothing more', async () => {
    const topic = await broker().topic();
    const client = await openClient(broker().cluster);
    const described = await client.describe(topic);
    const owner = (): LaneTransaction =>
      new LaneTransaction({
        client,
        transactionalId: `lane-of-${topic}`,
        group: `group-of-${topic}`,
        timeoutMs: 60_000,
      });
    const rows = (value: string): NewRecord[] => [{ key: null, value: Buffer.from(value), headers: [] }];
    const [former, next] = [owner(), owner()];
    await former.begin();
    await former.write(described, rows('of the former owner'));
    await next.begin();
    await next.write(described, rows('of the next owner'));
    await expect(former.commit(new Map())).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    await next.commit(new Map());
    const seen: string[] = [];
    for await (const { value } of recordsOf(client, described, 0, 30_000))
      seen.push(Buffer.from(value ?? []).toString());
    await client.close();
    expect(seen).toEqual(['of the next owner']);
  }, 60_000);

  it('gives the rows, the topic and the dead letters of one process, while workers come and go', async () => {
    const [running, alone] = [await broker().topic(3), await broker().topic(3)];
    const config = (topic: string, out: string): { broker: string; running: string; out: string } => ({
      ...{ broker: broker().address, running: topic, out: join(folder, out) },
    });
    await LaneFlow.run(config(alone, 'one.csv')).finished;
    const options: SpreadOptions = {
      workflow: LaneFlow.prepare(config(running, 'many.csv')),
      cluster: broker().cluster,
      runId: 'r1',
      partitions: PARTITIONS,
    };
    // Such a topic would lose records before they are read.
    const edge = 'millrace.LaneFlow.compacted.Spread';
    const admin = await broker().asAdmin();
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
    await admin.createTopics({
      waitForLeaders: true,
      topics: [{ topic: edge, numPartitions: PARTITIONS, configEntries }],
    });
    await expect(createRun({ ...options, runId: 'compacted' })).rejects.toMatchObject({
      code: 'MILLRACE_KAFKA',
      message: expect.stringContaining(`Topic '${edge}' has \`cleanup.policy=compact\``) as unknown,
    });
    const created = await createRun(options);
    expect(created).toHaveLength(4 + 7);
    // Who comes second changes nothing.
    expect(await createRun(options)).toEqual([]);
    let first: Worker | undefined;
    const second = await new Promise<Worker>((resolve) => {
      const onEvent = ({ type, stage }: WorkerEvent): void => {
        if (type !== 'closed' || stage !== 'In') return;
        // At once: the other lanes of a quick worker are over soon.
        first?.stop();
        resolve(startWorker(options));
      };
      first = startWorker({ ...options, onEvent });
    });
    expect(await first?.finished).toMatchObject({ outcome: 'stopped' });
    expect(await second.finished).toEqual({ outcome: 'completed', hasDeadLetters: true });

    expect(await rowsOf(join(folder, 'many.csv'))).toEqual(await rowsOf(join(folder, 'one.csv')));
    const values = async (topic: string): Promise<unknown[]> =>
      (await broker().read(topic)).map(({ value }) => value).sort();
    expect(await values(running)).toEqual(await values(alone));
    const letters = (await broker().read('millrace.LaneFlow.r1.dead-letters')).map(
      ({ value }) => JSON.parse(value as string) as { task: string; record: { n: number } },
    );
    expect(letters.map(({ record }) => record.n).sort((a, b) => a - b)).toEqual(
      [...new Array(RECORDS).keys()].filter(isBad),
    );
    // What tools show as lag: nothing but end markers is left.
    const [spread] = await admin.fetchOffsets({
      groupId: 'millrace.LaneFlow.r1',
      topics: ['millrace.LaneFlow.r1.Spread'],
    });
    const ends = await admin.fetchTopicOffsets('millrace.LaneFlow.r1.Spread');
    const lags = (spread?.partitions ?? []).map(
      ({ partition, offset }) => Number(ends.find((end) => end.partition === partition)?.high) - Number(offset),
    );
    expect(lags).toHaveLength(PARTITIONS);
    for (const lag of lags) expect(lag).toBeLessThanOrEqual(2);

    // A worker that comes after the end has nothing to do.
    expect(await startWorker(options).finished).toMatchObject({ outcome: 'completed' });
    await expect(
      startWorker({ ...options, workflow: LaneFlow.prepare(config(running, 'other.csv')) }).finished,
    ).rejects.toMatchObject({ code: 'MILLRACE_RESUME', message: expect.stringContaining("'out'") as unknown });
    expect(await deleteRun(options)).toHaveLength(created.length);
    // A broker learns a moment later that topics are gone.
    const isLeft = (topic: string): boolean => topic.startsWith('millrace.LaneFlow.r1.');
    while ((await admin.listTopics()).some(isLeft)) await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(startWorker(options).finished).rejects.toMatchObject({
      ...{ code: 'MILLRACE_RESUME', message: expect.stringContaining('has lost its progress') as unknown },
    });
  }, 120_000);
});
