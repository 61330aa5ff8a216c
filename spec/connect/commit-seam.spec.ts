/**
 * Around a checkpoint: what is prepared, committed and reported as settled, and when, also where the run dies in
 * between.
 */
import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  defineWorkflow,
  sinkTask,
  sourceTask,
  type CheckpointStore,
  type RunOptions,
  type RunSummary,
  type Workflow,
} from 'millrace';
import { connectorSink, connectorSource, type Sink, type Source } from 'millrace/connect';
import { memoryCheckpoints, virtualClock, type VirtualClock } from 'millrace/testing';
import { listSource, Table, tableSink } from '../testing/list-connectors.js';

const RECORDS = [0, 'b', '', false, null, 'f'];

/** Writes down every call, in order. */
function loggedSource(log: string[], clock: VirtualClock): Source<unknown> {
  const source = listSource({ items: RECORDS, recordsRead: 0, isOpen: false });
  return {
    ...source,
    settled: async ([progress]) => {
      await wait(clock, 10);
      log.push(`settled ${progress?.watermark ?? ''}`);
    },
    close: (outcome) => {
      log.push(`source closes: ${outcome}`);
    },
  };
}

function loggedSink(table: Table, log: string[], clock: VirtualClock): Sink<unknown> {
  const sink = tableSink(table, false);
  let isBusy = false;
  const alone = async <T>(what: string, work: () => T | PromiseLike<T>): Promise<T> => {
    if (isBusy) log.push(`${what} at the same time as another call`);
    isBusy = true;
    await wait(clock, 150);
    isBusy = false;
    return await work();
  };
  return {
    ...sink,
    write: (rows) =>
      alone('write', () => {
        log.push(`write ${rows.numbers.join()}`);
        return sink.write(rows);
      }),
    prepare: () =>
      alone('prepare', async () => {
        const prepared = await sink.prepare?.();
        if (prepared !== undefined) log.push(`prepare ${JSON.stringify(prepared)}`);
        return prepared;
      }),
    commit: (prepared) =>
      alone('commit', () => {
        log.push(`commit ${JSON.stringify(prepared)}`);
        return sink.commit?.(prepared);
      }),
    close: (outcome) => {
      log.push(`sink closes: ${outcome}`);
    },
  };
}

async function wait(clock: VirtualClock, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    clock.schedule(ms, resolve);
  });
}

class Trial {
  readonly clock = virtualClock();
  readonly table = new Table();
  readonly log: string[] = [];

  async run(options: RunOptions = {}, isSinkBroken = false): Promise<RunSummary | Error> {
    const { clock, table, log } = this;
    const sink = loggedSink(table, log, clock);
    const broken: Sink<unknown> = { ...sink, commit: () => Promise.reject(new Error('The store is gone')) };
    const flow = defineWorkflow({
      name: 'Seam',
      build: (tasks) =>
        tasks
          .task('Records', connectorSource(loggedSource(log, clock)))
          .task(
            'Slow',
            ['Records'],
            asyncTask(
              async (record: unknown) => {
                await wait(clock, 1000);
                return record;
              },
              { concurrency: 1 },
            ),
          )
          .task('Table', ['Slow'], connectorSink(isSinkBroken ? broken : sink)),
    });
    const run = flow.run(undefined, { clock, ...options });
    const ended = run.finished.catch((error: unknown) => error as Error);
    return clock.runUntil(ended);
  }
}

/** A store that dies at its write with this number: before or after it is durable. */
function dyingStore(store: CheckpointStore, at: number, isWritten: boolean): CheckpointStore {
  let count = 0;
  return {
    incarnation: store.incarnation,
    read: () => store.read(),
    write: async (checkpoint) => {
      if (count++ < at) return store.write(checkpoint);
      if (isWritten) await store.write(checkpoint);
      throw new Error('The process died');
    },
  };
}

describe('around a checkpoint', () => {
  it('a sink prepares, then commits, then the source hears what has settled, and nothing overlaps', async () => {
    const trial = new Trial();
    const kept = memoryCheckpoints();
    await trial.run({ checkpoints: kept.begin() });
    const { log, table } = trial;
    expect(table.rows).toEqual(RECORDS);
    expect(log.filter((line) => line.includes('same time'))).toEqual([]);
    expect(log.slice(-2)).toEqual(['sink closes: completed', 'source closes: completed']);
    const commits = log.flatMap((line, index) => (line.startsWith('commit') ? [index] : []));
    expect(commits.length).toBeGreaterThan(1);
    for (const index of commits) {
      expect(log[index - 1]).toBe(`prepare ${log[index]?.replace('commit ', '') ?? ''}`);
      expect(log[index + 1]).toMatch(/^settled \d$/);
    }
    expect(log.findLast((line) => line.startsWith('settled'))).toBe('settled 6');
  });

  it('nothing is committed or settled where the checkpoint was not written, and the rows are written again', async () => {
    for (const isWritten of [false, true]) {
      for (let at = 1; at < 6; at++) {
        const trial = new Trial();
        const kept = memoryCheckpoints();
        const failed = await trial.run({ checkpoints: dyingStore(kept.begin(), at, isWritten) });
        expect(failed).toBeInstanceOf(Error);
        const before = trial.log.splice(0);
        expect(before.filter((line) => line.startsWith('commit')).length).toBeLessThan(
          before.filter((line) => line.startsWith('prepare')).length + 1,
        );
        expect(before.slice(-2)).toEqual(['sink closes: failed', 'source closes: failed']);
        const { last } = kept;
        const ended = await trial.run({ checkpoints: kept.begin(), ...(last && { resumeFrom: last }) });
        expect({ at, isWritten, ended, log: trial.log, rows: trial.table.rows }).toMatchObject({
          ended: { outcome: 'completed' },
          rows: RECORDS,
        });
      }
    }
  });

  it('a commit that fails fails the run, and the source does not hear of records that were not committed', async () => {
    const trial = new Trial();
    const kept = memoryCheckpoints();
    const failed = await trial.run({ checkpoints: kept.begin() }, true);
    expect((failed as Error).message).toContain("Task 'Table' could not follow a checkpoint: The store is gone");
    expect(trial.log.filter((line) => /^settled [1-9]/.test(line))).toEqual([]);
    await trial.run({ checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) });
    expect(trial.table.rows).toEqual(RECORDS);
  });

  it('of a run without checkpoints everything is committed once, at its end', async () => {
    const trial = new Trial();
    await trial.run();
    expect(trial.table.rows).toEqual(RECORDS);
    expect(trial.log.slice(-5)).toEqual([
      'prepare "t1"',
      'commit "t1"',
      'sink closes: completed',
      'settled 6',
      'source closes: completed',
    ]);
  });
});

describe('a source of its own', () => {
  it.each([
    ['more than it was asked for', (max: number) => ({ records: new Array<number>(max + 1).fill(0) }), '65'],
    ['nothing', () => undefined, 'undefined'],
    ['an array', () => [1, 2], '\\[1,2\\]'],
  ])('is refused where it gives %s', async (_, read, got) => {
    const partition = { partition: 0, read: read as (max: number) => { records: number[] } };
    for (const isPartitioned of [false, true]) {
      const flow = defineWorkflow({
        name: 'Wrong',
        build: (tasks) =>
          tasks.task('List', connectorSource<number>({ isPartitioned, open: () => [partition] })).task(
            'End',
            ['List'],
            sinkTask(() => undefined),
          ),
      });
      await expect(flow.run().finished).rejects.toThrow(
        new RegExp(`Expected source 'List' to read 1 to 64 records as .*, or null at the end, got ${got}`),
      );
    }
  });
});

it('rows that a store holds already are not written again', async () => {
  const table = new Table();
  [0, 1, 3].forEach((number) => table.numbers.add(number));
  const flow = defineWorkflow({
    name: 'Held',
    build: (tasks) =>
      tasks
        .task('Records', connectorSource(listSource({ items: RECORDS, recordsRead: 0, isOpen: false })))
        .task('Table', ['Records'], connectorSink(tableSink(table, true))),
  });
  const summary = await flow.run().finished;
  expect(table.rows).toEqual(['', null, 'f']);
  expect(summary.tasks['Table']).toMatchObject({ in: 6, out: 6 });
});

it('a commit that takes long is no stall', async () => {
  const { clock, table } = new Trial();
  const sink = tableSink(table, false);
  const slow: Sink<unknown> = {
    ...sink,
    commit: async (prepared) => {
      await wait(clock, 10_000);
      await sink.commit?.(prepared);
    },
  };
  const run = workflowInto(slow).run(undefined, { clock, window: 4, checkpoints: memoryCheckpoints().begin() });
  expect((await clock.runUntil(run.finished)).outcome).toBe('completed');
  expect(table.rows).toHaveLength(40);
});

it('what was being written when a run is cancelled is not prepared', async () => {
  const { clock, table } = new Trial();
  const sink = tableSink(table, false);
  const log: string[] = [];
  const slow: Sink<unknown> = {
    ...sink,
    write: async (rows) => {
      log.push('write');
      await wait(clock, 5000);
      await sink.write(rows);
    },
    prepare: () => {
      log.push('prepare');
      return sink.prepare?.();
    },
  };
  const run = workflowInto(slow).run(undefined, { clock, window: 4, checkpoints: memoryCheckpoints().begin() });
  clock.schedule(3000, () => {
    log.push('cancel');
    run.cancel();
  });
  expect((await clock.runUntil(run.finished)).outcome).toBe('cancelled');
  expect(log.slice(log.indexOf('cancel'))).toEqual(['cancel']);
  expect(log.slice(0, 2)).toEqual(['prepare', 'write']);
});

/** Forty numbers, as fast as the sink writes. */
function workflowInto(sink: Sink<unknown>): Workflow {
  return defineWorkflow({
    name: 'Into',
    build: (flow) =>
      flow
        .task('Numbers', sourceTask(Array.from({ length: 40 }, (_, number) => number)))
        .task('Table', ['Numbers'], connectorSink(sink as Sink<number>)),
  }) as unknown as Workflow;
}

it('no write is under way at a checkpoint, also where the records that leave bring new ones at once', async () => {
  const clock = virtualClock();
  const overlaps: string[] = [];
  let writes = 0;
  const alone = async (what: string, ms: number): Promise<null> => {
    if (what !== 'write' && writes > 0) overlaps.push(`${what} during a write`);
    if (what === 'write') writes++;
    await wait(clock, ms);
    if (what === 'write') writes--;
    return null;
  };
  const sink: Sink<number> = {
    open: () => undefined,
    write: async () => {
      await alone('write', 7);
    },
    prepare: () => alone('prepare', 1),
    commit: async () => {
      await alone('commit', 1);
    },
  };
  const Tight = defineWorkflow({
    name: 'Tight',
    build: (flow) =>
      flow.task('Numbers', sourceTask([...new Array(400).keys()])).task('Out', ['Numbers'], connectorSink(sink)),
  });
  const options = { clock, window: 8, checkpoints: memoryCheckpoints().begin(), checkpointEvery: { everyMs: 50 } };
  await clock.runUntil(Tight.run(undefined, options).finished);
  expect(overlaps).toEqual([]);
});
