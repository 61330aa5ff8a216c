/** Aggregates folded in threads give what a fold inline gives, byte for byte. */
import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, toArray } from 'rxjs';
import {
  aggregateTask,
  defineWorkflow,
  sourceTask,
  type DeadLetter,
  type RunOptions,
  type RunSummary,
  type Task,
} from '#lib/index.js';
import { sums, texts } from '../workers/modules/sums.js';

const RECORDS = Array.from({ length: 5000 }, (_, n) => n + 2000);
const MODULE = new URL('../workers/modules/sums.js', import.meta.url);
type Sums = typeof import('../workers/modules/sums.js');

interface Result {
  readonly results: unknown[];
  readonly letters: DeadLetter[];
  readonly summary: RunSummary;
}

async function runOver(task: Task<number, unknown>, options: RunOptions, records = RECORDS): Promise<Result> {
  const workflow = defineWorkflow({
    name: 'Fold',
    build: (flow) => flow.task('Read', sourceTask(records)).task('Fold', ['Read'], task),
  });
  const run = workflow.run(undefined, options);
  const letters: DeadLetter[] = [];
  run.events$.subscribe((event) => {
    if (event.type === 'dead-letter') letters.push(event.letter);
  });
  const [results, summary] = await Promise.all([lastValueFrom(run.output$('Fold').pipe(toArray())), run.finished]);
  return { results, letters, summary };
}

describe.each([
  ['parts', {}],
  ['partitions by key', { partitionBy: 'key' }],
  ['partitions by a coarser key', { partitionBy: (n: number) => `${n % 2}` }],
] as const)('an aggregate in %s', (_, how) => {
  it.each([1, 2, 3])('gives what it gives inline, in the same order, with %i threads', async (threads) => {
    // Not commutative, so a part out of order would show; 14 groups, so that keys meet in every thread.
    const inline = await runOver(aggregateTask(texts({ groups: 14 }), how), { threads: 0 });
    const { results, summary } = await runOver(aggregateTask(texts({ groups: 14 }), how), { threads });
    expect(results).toEqual(inline.results);
    expect(JSON.stringify(results)).toBe(JSON.stringify(inline.results));
    expect(summary.tasks['Fold']).toMatchObject({ in: 5000, out: 14 });
    expect(summary.threads?.size).toBe(threads);
  });

  it.each([0, 2])('dead-letters what `add` throws, with %i threads', async (threads) => {
    const { results, letters } = await runOver(aggregateTask(sums, how), { threads }, [1, 2, 13, 4, 5]);
    expect(results).toEqual(['odd: 6', 'even: 6']);
    expect(letters).toMatchObject([{ task: 'Fold', record: 13, message: 'thirteen' }]);
  });

  it('gives nothing for nothing', async () => {
    expect((await runOver(aggregateTask(sums, how), { threads: 2 }, [])).results).toEqual([]);
  });

  it('holds no more keys than it may', async () => {
    const failing = runOver(aggregateTask(texts({ groups: 1000 }), { ...how, maxKeys: 10 }), { threads: 2 });
    await expect(failing).rejects.toMatchObject({ code: 'MILLRACE_AGGREGATE_OVERFLOW' });
  });

  it('emits nothing when the run drains', async () => {
    const workflow = defineWorkflow({
      name: 'Drain',
      build: (flow) =>
        flow.task('Read', sourceTask(endless())).task('Fold', ['Read'], aggregateTask(texts({ groups: 3 }), how)),
    });
    const run = workflow.run(undefined, { threads: 2 });
    const results: unknown[] = [];
    run.output$('Fold').subscribe((result) => results.push(result));
    const subscription = run.events$.subscribe((event) => {
      if (event.type === 'task-started' && event.task === 'Fold')
        setImmediate(() => {
          run.drain();
        });
    });
    expect((await run.finished).outcome).toBe('drained');
    subscription.unsubscribe();
    expect(results).toEqual([]);
  });
});

it('loses only the record that kills a thread, where parts are kept outside', async () => {
  const records = [...RECORDS.slice(0, 700), 1313, ...RECORDS.slice(700)];
  const inline = await runOver(aggregateTask(texts({ groups: 5 })), { threads: 0 });
  const { results, letters } = await runOver(aggregateTask(texts({ groups: 5 })), { threads: 2 }, records);
  expect(results).toEqual(inline.results);
  expect(letters).toMatchObject([{ record: 1313, code: 'MILLRACE_THREAD', attempts: 2 }]);
});

it('fails the run when a thread dies with a partition in it', async () => {
  const task = aggregateTask(texts({ groups: 5 }), { partitionBy: 'key' });
  await expect(runOver(task, { threads: 2 }, [...RECORDS, 1313])).rejects.toMatchObject({ code: 'MILLRACE_THREAD' });
});

it('takes a module URL and the name of an export, with types', async () => {
  const byName: Task<number, string> = aggregateTask<Sums, 'sums'>({ module: MODULE, export: 'sums' });
  expect((await runOver(byName, { threads: 2 }, [1, 2, 3])).results).toEqual(['odd: 4', 'even: 2']);
  const made = aggregateTask<Sums, 'texts'>({ module: MODULE, export: 'texts', args: { groups: 1 } });
  expect((await runOver(made, { threads: 1 }, [7, 8])).results).toEqual([[0, ',7,8']]);
});

it('refuses what cannot be folded in threads', async () => {
  const untagged = { init: () => 0, add: (sum: number) => sum + 1, finish: (sum: number) => sum };
  expect(() => aggregateTask(untagged, { partitionBy: 'key' })).toThrow('threadAggregate');
  const withoutMerge = aggregateTask<Sums, 'withoutMerge'>({ module: MODULE, export: 'withoutMerge' });
  await expect(runOver(withoutMerge, { threads: 2 }, [1])).rejects.toThrow('no `merge`');
});

function* endless(): Generator<number> {
  // Above the numbers that `sums` and `texts` do something about.
  for (let n = 2000; ; n++) yield n;
}
