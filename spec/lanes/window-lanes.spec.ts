/** Windows of time behind topics give the rows of one process, late records included. */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createRun, stagesOf, startWorker, type SpreadOptions, type WorkerEvent } from 'millrace/lanes';
import { describeWithBroker } from '../kafka/with-broker.js';
import { FILES, WindowFlow } from './window-flow.js';

describeWithBroker('windows in lanes', (broker) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-windows-'));
    for (const name of ['one', 'many']) await mkdir(join(folder, name));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const rowsOf = async (name: string): Promise<Record<string, string[]>> =>
    Object.fromEntries(
      await Promise.all(
        FILES.map(async (file): Promise<[string, string[]]> => [
          file,
          (await readFile(join(folder, name, file), 'utf8')).trim().split('\n').sort(),
        ]),
      ),
    );

  it('give the rows of one process, late records included, while a worker leaves', async () => {
    const one = await WindowFlow.run({ folder: join(folder, 'one') }).finished;
    expect(one.outcome).toBe('completed');
    const options: SpreadOptions = {
      workflow: WindowFlow.prepare({ folder: join(folder, 'many') }),
      cluster: broker().cluster,
      runId: 'windows',
      partitions: 3,
    };
    const { stages } = stagesOf(options);
    expect(stages.filter(({ name }) => ['Per auction', 'Most', 'Early bids'].includes(name))).toMatchObject([
      { lanes: 3 },
      { lanes: 3 },
      { lanes: 3 },
    ]);
    await createRun(options);
    const events: WorkerEvent[] = [];
    const first = startWorker({ ...options, commitEveryMs: 20, onEvent: (event) => events.push(event) });
    while (!events.some(({ type, stage }) => type === 'closed' && stage === 'Bids')) {
      await Promise.race([first.finished, new Promise((resolve) => setTimeout(resolve, 5))]);
    }
    first.stop(0);
    await first.finished;
    const second = startWorker({ ...options, commitEveryMs: 20 });
    expect(await second.finished).toEqual({ outcome: 'completed', hasDeadLetters: false });
    const rows = await rowsOf('many');
    expect(rows['late.csv']?.length).toBeGreaterThan(5);
    expect(rows).toEqual(await rowsOf('one'));
  }, 120_000);
});
