/** A run whose topics were deleted is refused, and a run that is new or half created begins. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { defineWorkflow, repartition, sinkTask, sourceTask } from 'millrace';
import { createRun, deleteRun, lagOf, stagesOf, startWorker, type SpreadOptions } from 'millrace/lanes';
import type { KafkaPort } from '#lib/connectors/kafka/port.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { ensureRun } from '#lib/lanes/cluster-run.js';
import { topicsOf } from '#lib/lanes/run-topics.js';
import { describeWithBroker } from '../kafka/with-broker.js';

const Small = defineWorkflow({
  name: 'Small',
  build: (flow) =>
    flow
      .task('In', sourceTask([1, 2, 3]))
      .task(
        'Spread',
        ['In'],
        repartition((n: number) => n),
      )
      .task(
        'Out',
        ['Spread'],
        sinkTask(() => undefined),
      ),
});

describeWithBroker('a run whose topics were deleted', (broker) => {
  const optionsOf = (runId: string): SpreadOptions => ({
    ...{ workflow: Small.prepare(), cluster: broker().cluster, runId, partitions: 1 },
  });
  const completed = async (options: SpreadOptions): Promise<void> => {
    await createRun(options);
    expect(await startWorker(options).finished).toMatchObject({ outcome: 'completed' });
  };
  const existing = async (options: SpreadOptions): Promise<string[]> => {
    const { group } = stagesOf(options);
    return (await (await broker().asAdmin()).listTopics()).filter((topic) => topic.startsWith(`${group}.`)).sort();
  };
  /** Deletes topics, and waits until the broker knows that they are gone. */
  const remove = async (options: SpreadOptions, topics: readonly string[]): Promise<void> => {
    await (await broker().asAdmin()).deleteTopics({ topics: [...topics] });
    while ((await existing(options)).some((topic) => topics.includes(topic))) await sleep(20);
  };
  const refusal = (message: string) => ({
    code: 'MILLRACE_RESUME',
    message: expect.stringContaining(message) as unknown,
  });

  it('is refused when all of them were deleted, by what brokers remember of its workers', async () => {
    const options = optionsOf('all-deleted');
    await completed(options);
    const deleted = await deleteRun(options);
    expect(deleted).toHaveLength(5);
    while ((await existing(options)).length > 0) await sleep(20);
    const lost = refusal("the group 'millrace.Small.all-deleted' of its workers, the transactions of 2 lanes");
    await Promise.all(
      [createRun(options), startWorker(options).finished].map((one) => expect(one).rejects.toMatchObject(lost)),
    );
    expect(await existing(options)).toEqual([]);
  }, 60_000);

  it('is refused when any one of them was deleted, and nothing is created', async () => {
    const names = topicsOf(stagesOf(optionsOf('x')), 1).map(({ name }) => name.split('.').slice(3).join('.'));
    expect(names).toEqual(['run', 'state', 'dead-letters', 'events', 'Spread']);
    await Promise.all(
      names.map(async (purpose) => {
        const options = optionsOf(`without-${purpose}`);
        await completed(options);
        const topic = `millrace.Small.without-${purpose}.${purpose}`;
        await remove(options, [topic]);
        const left = await existing(options);
        const lost = refusal(`topic '${topic}' is missing`);
        const attempts = [createRun(options), startWorker(options).finished, lagOf(options)];
        await Promise.all(attempts.map((attempt) => expect(attempt).rejects.toMatchObject(lost)));
        expect(await existing(options)).toEqual(left);
      }),
    );
  }, 120_000);

  it('is refused when a topic was created again, or emptied', async () => {
    const options = optionsOf('again');
    await completed(options);
    const topic = 'millrace.Small.again.Spread';
    const admin = await broker().asAdmin();
    await remove(options, [topic]);
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
    const lost = refusal(`topic '${topic}' was deleted and created again`);
    await expect(createRun(options)).rejects.toMatchObject(lost);
    await expect(startWorker(options).finished).rejects.toMatchObject(lost);

    const described = 'millrace.Small.again.run';
    await remove(options, [described]);
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: described, numPartitions: 1 }] });
    await expect(createRun(options)).rejects.toMatchObject(refusal(`topic '${described}' is empty`));
  }, 60_000);

  it('is refused by a machine that has seen it, also if the brokers know nothing of it', async () => {
    const client = await openClient(broker().cluster);
    const options = optionsOf('remembered');
    const seen = { known: 'an-id' };
    await expect(ensureRun(client, options, seen)).rejects.toMatchObject(refusal('its folder on this machine'));
    expect(await existing(options)).toEqual([]);
    const { id } = await ensureRun(client, options, {});
    expect(await ensureRun(client, options, { known: id })).toEqual({ created: [], id });
    await expect(ensureRun(client, options, seen)).rejects.toMatchObject(refusal('was deleted and created again'));
    await client.close();
  }, 60_000);
});

describeWithBroker('a new run', (broker) => {
  const optionsOf = (runId: string): SpreadOptions => ({
    ...{ workflow: Small.prepare(), cluster: broker().cluster, runId, partitions: 1 },
  });

  it('begins after a creation that died at any moment', async () => {
    const client = await openClient(broker().cluster);
    const topics = topicsOf(stagesOf(optionsOf('x')), undefined);
    await Promise.all(
      [...new Array<undefined>(topics.length + 1).keys()].map(async (count) => {
        const options = optionsOf(`half-${count}`);
        for (const topic of topicsOf(stagesOf(options), undefined).slice(0, count)) await client.createTopic(topic);
        await expect(startWorker(options).finished).rejects.toMatchObject({ code: 'MILLRACE_UNKNOWN_RUN' });
        expect(await createRun(options)).toHaveLength(topics.length - count);
        expect(await startWorker(options).finished).toMatchObject({ outcome: 'completed' });
      }),
    );
    await client.close();
  }, 60_000);

  it('is not refused when another process creates it, and works on it, between two looks', async () => {
    const client = await openClient(broker().cluster);
    const options = optionsOf('raced');
    let isFirst = true;
    const slow = new Proxy(client, {
      get: (target, name: keyof KafkaPort) => {
        if (name !== 'hasTopic') return (target[name] as () => unknown).bind(target);
        return async (topic: string) => {
          const answer = await target.hasTopic(topic);
          if (isFirst) {
            isFirst = false;
            expect(answer).toBe(false);
            await createRun(options);
            await startWorker(options).finished;
          }
          return answer;
        };
      },
    });
    expect((await ensureRun(slow, options, {})).created).toEqual([]);
    await client.close();
  }, 60_000);

  it('is created by two processes at the same time', async () => {
    const options = optionsOf('twice');
    const work = async (): Promise<unknown> => {
      await createRun(options);
      return startWorker(options).finished;
    };
    for (const end of await Promise.all([work(), work(), work()])) expect(end).toMatchObject({ outcome: 'completed' });
  }, 60_000);
});
