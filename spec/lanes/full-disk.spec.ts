/** A broker whose disk is full loses no record of a run and doubles none: the run fails, and continues once there is room. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs';
import { mkdtemp, open, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, repartition, sourceTask } from 'millrace';
import { kafka, kafkaSink } from 'millrace/kafka';
import { kafkaCarrier } from 'millrace/lanes';
import { whyNoBroker } from '../kafka/artifacts.js';
import { startBroker } from '../kafka/broker.js';
import { TestBroker } from '../kafka/with-broker.js';
import { isLong } from '../support/long.js';
import { SHORT_SESSIONS } from './short-sessions.js';

const RECORDS = 300;
const DISK_MB = 48;
const BULK = 'x'.repeat(20_000);

interface Bulk {
  readonly n: number;
  readonly bulk: string;
}

/** Mounts a small disk of its own; undefined if this user may not do that. */
function mountDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', folder], { stdio: 'pipe' });
    return folder;
  } catch {
    rmdirSync(folder);
    return undefined;
  }
}

// Its broker is started twice, which takes too long for each run of the specs.
const hindrance = isLong ? whyNoBroker() : 'it runs with MILLRACE_LONG=1';
const disk = hindrance === undefined ? mountDisk() : undefined;
const reason = hindrance ?? (disk === undefined ? 'only root may mount a small disk' : undefined);

const describeIf = disk === undefined ? describe.skip : describe;
describeIf(`a run on a broker with a full disk${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  const data = disk as string;
  let broker: TestBroker;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-full-'));
    const properties = [
      ...[...(SHORT_SESSIONS.properties ?? []), `log.dirs=${data}`],
      ...['offsets.topic.num.partitions=2', 'transaction.state.log.num.partitions=2', 'log.index.size.max.bytes=65536'],
    ];
    broker = new TestBroker(await startBroker({ properties }));
  }, 120_000);
  afterAll(async () => {
    await broker.stop();
    execFileSync('umount', [data]);
    await Promise.all([folder, data].map((one) => rm(one, { recursive: true, force: true })));
  }, 60_000);

  it('fails, and completes with each record once when there is room again', async () => {
    const topic = await broker.topic(2);
    const cluster = kafka({ brokers: [broker.address], timeoutMs: 5000 });
    const held = { some: false };
    const Bulky = defineWorkflow({
      name: 'Bulky',
      build: (flow) =>
        flow
          .task('In', sourceTask([...new Array<undefined>(RECORDS).keys()].map((n) => ({ n, bulk: BULK }))))
          .task(
            'Spread',
            ['In'],
            repartition(({ n }: Bulk) => n),
          )
          .task(
            'Hold',
            ['Spread'],
            asyncTask(async (record: Bulk) => {
              held.some = true;
              while (record.n > 20 && !existsSync(join(folder, 'go'))) await sleep(20);
              return record;
            }),
          )
          .task('Out', ['Hold'], kafkaSink({ cluster, topic, key: ({ n }: Bulk) => String(n) })),
    });
    const run = () => Bulky.run(undefined, { carrier: kafkaCarrier({ cluster, partitions: 2 }), runId: 'full' });

    const first = run().finished.catch((error: unknown) => error);
    while (!held.some) await sleep(20);
    await fillUp(join(data, 'filler'));
    await writeFile(join(folder, 'go'), '');
    const failed = await first;
    expect(failed).toMatchObject({ code: expect.stringMatching(/^MILLRACE_(NETWORK|KAFKA)$/) as unknown });
    await rm(join(data, 'filler'));
    await broker.bounce();
    expect(await run().finished).toMatchObject({ outcome: 'completed' });
    const numbers = (await broker.read(topic)).map(({ key }) => Number(key)).sort((a, b) => a - b);
    expect(numbers).toEqual([...new Array<undefined>(RECORDS).keys()]);
  }, 180_000);
});

/** Takes all room of the disk. */
async function fillUp(file: string): Promise<void> {
  const handle = await open(file, 'w');
  const { bavail, bsize } = await statfs(file);
  try {
    for (let left = bavail; left >= 0; left--) await handle.write(Buffer.alloc(bsize));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await handle.close();
  }
}
