/** How long a record takes from a topic through a workflow to a reader of another topic, at 1,000 records per second. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineWorkflow, syncTask } from 'millrace';
import { kafkaSink, kafkaSource, type KafkaSinkOptions } from 'millrace/kafka';
import { checkpointFile } from 'millrace/storage';
import { cluster, newTopic, rowsFrom, withClient, writerTo } from './kafka-work.js';

interface Item {
  readonly n: number;
}

const PER_WRITE = 10;
const WRITE_EVERY_MS = 10;
/** Records of the beginning, while the connections are new, that are not measured. */
const WARM_UP = 1000;

/** The milliseconds from just before a record is written until it is read, in order of their length. */
export async function latencies(
  guarantee: KafkaSinkOptions<Item>['guarantee'] & string,
  seconds: number,
): Promise<number[]> {
  const [from, to] = [await newTopic(), await newTopic()];
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-latency-'));
  const Pipe = defineWorkflow({
    name: 'Pipe',
    build: (flow) =>
      flow
        .task('In', kafkaSource<Item>({ cluster: cluster(), topic: from }))
        .task(
          'Work',
          ['In'],
          syncTask((item: Item) => item),
        )
        .task('Out', ['Work'], kafkaSink<Item>({ cluster: cluster(), topic: to, guarantee })),
  });
  const total = WARM_UP + (seconds * 1000 * PER_WRITE) / WRITE_EVERY_MS;
  const writtenAt = new Float64Array(total);
  const checkpoints = checkpointFile(join(folder, 'checkpoint.json'));
  const run = Pipe.run(undefined, { checkpoints, checkpointEvery: { everyMs: 100 } });
  try {
    const reading = readAll(to, total);
    await writeAll(from, writtenAt);
    const readAt = await reading;
    return [...readAt.subarray(WARM_UP)].map((at, n) => at - (writtenAt[WARM_UP + n] as number)).sort((a, b) => a - b);
  } finally {
    run.cancel();
    await run.finished;
    await rm(folder, { recursive: true, force: true });
  }
}

function writeAll(topicName: string, writtenAt: Float64Array): Promise<void> {
  return withClient(async (client) => {
    const writer = writerTo(client, await client.describe(topicName));
    const startedAt = performance.now();
    for (let n = 0; n < writtenAt.length; n += PER_WRITE) {
      // By the clock, so that a slow write does not lower the rate.
      const dueAt = startedAt + (n / PER_WRITE) * WRITE_EVERY_MS;
      if (dueAt > performance.now()) await sleep(dueAt - performance.now());
      writtenAt.fill(performance.now(), n, n + PER_WRITE);
      await writer.write(rowsFrom(n, PER_WRITE), 0);
    }
  });
}

function readAll(topicName: string, total: number): Promise<Float64Array> {
  return withClient(async (client) => {
    const readAt = new Float64Array(total);
    const topic = await client.describe(topicName);
    const [leader = 0] = await client.leaders(topic, false);
    for (let offset = 0, seen = 0; seen < total;) {
      const places = [{ partition: 0, offset }];
      const [fetched] = await client.fetch(leader, { topic, places, maxWaitMs: 500, maxBytesPerPartition: 1_000_000 });
      if (fetched?.kind !== 'records') continue;
      const now = performance.now();
      for (const { value } of fetched.records) {
        readAt[(JSON.parse(Buffer.from(value ?? []).toString()) as Item).n] = now;
        seen++;
      }
      offset = fetched.next;
    }
    return readAt;
  });
}
