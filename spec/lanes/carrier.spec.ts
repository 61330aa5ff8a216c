/** A run that Kafka carries looks like a run of one process: its counts, its events, its dead letters and its end. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  asyncTask,
  defineWorkflow,
  sourceTask,
  syncTask,
  type DeadLetter,
  type DeadLetterStore,
  type RunEvent,
  type RunSummary,
} from 'millrace';
import { kafkaCarrier } from 'millrace/lanes';
import { describeWithBroker } from '../kafka/with-broker.js';
import { isBad, LaneFlow, RECORDS } from './lane-flow.js';

const PARTITIONS = 2;

/** What must not depend on the number of processes. */
function countsOf({ tasks }: RunSummary): unknown {
  return Object.fromEntries(
    Object.entries(tasks).map(([name, { kind, dependencies, status, in: received, out, ...rest }]) => {
      const { skipped, skipReasons, deadLettered, failed, retried } = rest;
      return [name, { kind, dependencies, status, received, out, skipped, skipReasons, deadLettered, failed, retried }];
    }),
  );
}

describeWithBroker('a run with a kafkaCarrier', (broker) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-carrier-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('has the counts, the dead letters and the rows of one process', async () => {
    const [running, alone] = [await broker().topic(2), await broker().topic(2)];
    const config = (topic: string, out: string): { broker: string; running: string; out: string } => ({
      ...{ broker: broker().address, running: topic, out: join(folder, out) },
    });
    const one = await LaneFlow.run(config(alone, 'one.csv')).finished;
    const letters: DeadLetter[] = [];
    const deadLetters: DeadLetterStore = {
      write: (letter) => letters.push(letter),
      isFull: false,
      whenReady: () => undefined,
      whenBroken: () => undefined,
      close: () => Promise.resolve(),
    };
    const carrier = kafkaCarrier({ cluster: broker().cluster, partitions: PARTITIONS });
    const run = LaneFlow.run(config(running, 'many.csv'), { carrier, runId: 'counts', deadLetters });
    const events: RunEvent[] = [];
    run.events$.subscribe((event) => events.push(event));
    expect(() => run.output$('Ask')).toThrow(/cannot be observed here/);
    const many = await run.finished;

    expect(countsOf(many)).toEqual(countsOf(one));
    const { outcome, skipped, deadLettered, workflow, runId } = many;
    expect({ outcome, skipped, deadLettered, workflow }).toEqual({
      ...{ outcome: one.outcome, skipped: one.skipped, deadLettered: one.deadLettered, workflow: one.workflow },
    });
    expect(runId).toBe('counts');
    expect(run.counts).toMatchObject({ In: { out: RECORDS }, Ask: { inFlight: 0 } });
    const rows = async (file: string): Promise<string[]> =>
      (await readFile(join(folder, file), 'utf8')).trim().split('\n').sort();
    expect(await rows('many.csv')).toEqual(await rows('one.csv'));
    const numbers = letters.map(({ record }) => (record as { n: number }).n).sort((a, b) => a - b);
    expect(numbers).toEqual([...new Array(RECORDS).keys()].filter(isBad));

    const types = events.map(({ type }) => type);
    expect(types[0]).toBe('run-started');
    expect(types.at(-1)).toBe('run-ended');
    const tasks = (type: 'task-started' | 'task-ended'): string[] =>
      events.flatMap((event) => (event.type === type ? [event.task] : [])).sort();
    expect(tasks('task-started')).toEqual(Object.keys(one.tasks).sort());
    expect(tasks('task-ended')).toEqual(Object.keys(one.tasks).sort());
    expect(types.filter((type) => type === 'dead-letter')).toHaveLength(letters.length);
    // The broker of the specs keeps one copy of a topic.
    const warned = events.flatMap((event) =>
      event.type === 'notice' ? [/^Topic '(.*)' can lose/.exec(event.message)?.[1]] : [],
    );
    expect(warned.sort()).toEqual(['millrace.LaneFlow.counts.state', running].sort());
    const last = events.findLast((event) => event.type === 'progress');
    expect(last?.tasks['Out']).toMatchObject({ in: one.tasks['Out']?.in });
    expect(last?.edges.find(({ to }) => to === 'Out')).toMatchObject({ from: 'Pair', records: one.tasks['Out']?.in });
  }, 120_000);

  it('shares its work with another run of the same id, and both see all of it', async () => {
    const [topic, file] = [await broker().topic(2), join(folder, 'shared.csv')];
    const config = { broker: broker().address, running: topic, out: file };
    const start = () =>
      LaneFlow.run(config, {
        carrier: kafkaCarrier({ cluster: broker().cluster, partitions: PARTITIONS }),
        runId: 'shared',
      });
    const [first, second] = [start(), start()];
    const [one, other] = await Promise.all([first.finished, second.finished]);
    expect(countsOf(one)).toEqual(countsOf(other));
    expect(one.tasks['Spread']).toMatchObject({ in: RECORDS, out: RECORDS });
  }, 120_000);

  it('fails with the error of its task, and ends as drained when it is drained', async () => {
    const flow = (fail: boolean) =>
      defineWorkflow({
        name: fail ? 'Failing' : 'Endless',
        build: (flow) =>
          flow
            .task(
              'In',
              sourceTask(function* () {
                for (let n = 0; n < (fail ? 10 : 1e9); n++) yield n;
              }),
            )
            .task(
              'Check',
              ['In'],
              syncTask(
                (n: number) => {
                  if (fail && n === 7) throw new Error('seven');
                  return n;
                },
                { onFailure: 'fail' },
              ),
            ),
      });
    const carrier = kafkaCarrier({ cluster: broker().cluster, partitions: 1 });
    const failed = await flow(true)
      .run(undefined, { carrier })
      .finished.catch((error: unknown) => error as { summary: RunSummary; message: string });
    expect(failed).toMatchObject({ message: expect.stringContaining('seven') as unknown });
    expect((failed as { summary: RunSummary }).summary.outcome).toBe('failed');
    const endless = flow(false).run(undefined, { carrier });
    endless.events$.subscribe(({ type }) => {
      if (type === 'task-started') endless.drain();
    });
    expect(await endless.finished).toMatchObject({ outcome: 'drained' });
  }, 120_000);

  it('gives up a lane that hangs, also if its call cannot be cancelled', async () => {
    const Hanging = defineWorkflow({
      name: 'Hanging',
      build: (flow) =>
        flow.task('In', sourceTask([1, 2])).task(
          'Ask',
          ['In'],
          asyncTask((n: number) => (n === 1 ? Promise.resolve(n) : new Promise<number>(() => undefined))),
        ),
    });
    const carrier = kafkaCarrier({ cluster: broker().cluster, partitions: 1, stallMs: 400 });
    const failed = await Hanging.run(undefined, { carrier }).finished.catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'MILLRACE_STALLED',
      message: expect.stringContaining("'Ask' holds some") as unknown,
    });
  }, 120_000);

  it('refuses options that are for tasks of this process', () => {
    const carrier = kafkaCarrier({ cluster: broker().cluster });
    expect(() => LaneFlow.prepare({ broker: 'a:1', running: 'b', out: 'c' }).run({ carrier, threads: 2 })).toThrow(
      /`carrier` of a run without `threads`/,
    );
  });
});
