/** The reading of topics of a run, and the letters in them, on a real broker. */
import { expect, it } from '@jest/globals';
import type { DeadLetter } from 'millrace';
import { openTransactions } from 'millrace/lanes';
import type { KafkaPort, RawRecord } from '#lib/connectors/kafka/port.js';
import { openClient } from '#lib/connectors/kafka/raw-client.js';
import { bytesOf } from '#lib/connectors/kafka/topic-writer.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import { letterOf, letterRecord } from '#lib/lanes/letter-topic.js';
import { MAX_RECORD_BYTES } from '#lib/lanes/lane-transaction.js';
import { describeWithBroker } from '../kafka/with-broker.js';

async function collected(records: AsyncIterable<RawRecord>): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of records) values.push(Buffer.from(value ?? []).toString());
  return values;
}

/** Begins a transaction with this id, as a process does that dies then. */
async function leaveOpen(client: KafkaPort, transactionalId: string, topic: string): Promise<void> {
  const producer = await client.beginProducer(transactionalId, 60_000);
  await client.addPartitions(producer, topic, [0]);
  const records = [{ key: null, value: Buffer.from('open'), headers: [] }];
  await client.write({ topic, partition: 0, records, compression: 'none', producer, sequence: 0 });
}

describeWithBroker('the records of a topic of a run', (broker) => {
  it('are read up to the open transaction of a worker that has died, without waiting for its end', async () => {
    const name = await broker().topic();
    await broker().write(name, [{ value: 'a' }, { value: 'b' }]);
    const client = await openClient(broker().cluster);
    await leaveOpen(client, `open-${name}`, name);
    const topic = await client.describe(name);
    expect(await collected(recordsOf(client, topic, 0, 60_000, 0, 'latest'))).toEqual(['a', 'b']);
    // From the open transaction on, so that the wait is not for the records before it.
    await expect(collected(recordsOf(client, topic, 0, 300, 2, 'end'))).rejects.toMatchObject({
      code: 'MILLRACE_NETWORK',
      message: expect.stringContaining('nothing arrived behind offset 2') as unknown,
    });
    await client.close();
  });

  it('belong to open transactions that are listed by run, with those of its sinks', async () => {
    const name = await broker().topic();
    const client = await openClient(broker().cluster);
    const run = `millrace.Flow.${name}`;
    const ids = [`${run}.0`, `millrace-${run}.0-Out`, `${run}0.0`, `${run}-2.0`, `millrace-${run}-2.0-Out`];
    for (const id of ids) await leaveOpen(client, id, name);
    expect(await openTransactions(broker().cluster, run)).toEqual([`millrace-${run}.0-Out`, `${run}.0`]);
    expect(await openTransactions(broker().cluster, `millrace-${run}-2.0-Out`)).toEqual([`millrace-${run}-2.0-Out`]);
    await client.close();
  });
});

it('a letter that is too large for its topic describes its record', () => {
  const letter = { task: 'Work', code: 'X', message: 'no good', record: 'a'.repeat(MAX_RECORD_BYTES) };
  const origin = { lane: 3, generation: 0, task: 'Work', root: 'In' };
  const record = letterRecord(letter as unknown as DeadLetter, origin);
  expect(bytesOf(record)).toBeLessThan(10_000);
  expect(letterOf({ ...record, offset: 7 })).toMatchObject({ offset: 7, lane: 3, letter: { message: 'no good' } });
  const small = letterRecord({ ...letter, record: 'a' } as unknown as DeadLetter, origin);
  expect(letterOf({ ...small, offset: 7 })).toMatchObject({ letter: { record: 'a' } });
});
