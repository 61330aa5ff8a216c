/** cpuTask in a run: the same wherever the run decides to do the work. */
import { describe, expect, it } from '@jest/globals';
import { lastValueFrom, toArray } from 'rxjs';
import { skip, type DeadLetter, type RunOptions, type RunSummary, type Schema, type Task } from '#lib/index.js';
import { cpuTask, defineWorkflow, sourceTask, syncTask } from '#lib/index.js';
import * as numbers from '../workers/modules/numbers.js';

const COUNT = 3000;
const RECORDS = Array.from({ length: COUNT }, (_, n) => n);

interface Result {
  readonly outputs: unknown[];
  readonly letters: DeadLetter[];
  readonly summary: RunSummary;
}

async function runOver(
  task: Task<number, unknown>,
  options: RunOptions,
  records: readonly number[] = RECORDS,
): Promise<Result> {
  const workflow = defineWorkflow({
    name: 'Cpu',
    build: (flow) => flow.task('Read', sourceTask(records)).task('Work', ['Read'], task),
  });
  const run = workflow.run(undefined, options);
  const letters: DeadLetter[] = [];
  run.events$.subscribe((event) => {
    if (event.type === 'dead-letter') letters.push(event.letter);
  });
  const [outputs, summary] = await Promise.all([lastValueFrom(run.output$('Work').pipe(toArray())), run.finished]);
  return { outputs, letters, summary };
}

const thirdOnly: Schema<number> = {
  '~standard': {
    version: 1,
    vendor: 'spec',
    validate: (value) =>
      (value as number) % 3 === 0 ? { value: value as number } : { issues: [{ message: 'not a third' }] },
  },
};

describe.each([0, 2])('a cpuTask with threads: %i', (threads) => {
  it('gives every record its output, in input order where asked for', async () => {
    const { outputs, summary } = await runOver(cpuTask(numbers.double, { ordered: true }), { threads });
    expect(outputs).toEqual(RECORDS.map((n) => n * 2));
    expect(summary.tasks['Work']).toMatchObject({ kind: 'cpu', in: COUNT, out: COUNT });
  });

  it('takes a module URL and the name of an export, with types', async () => {
    const where = { module: new URL('../workers/modules/numbers.js', import.meta.url), export: 'double' } as const;
    const task: Task<number, number> = cpuTask<typeof import('../workers/modules/numbers.js'), 'double'>(where);
    expect((await runOver(task, { threads })).outputs).toHaveLength(COUNT);
    const factory = { module: where.module, export: 'multiplyBy', args: 5 } as const;
    const made: Task<number, number> = cpuTask<typeof import('../workers/modules/numbers.js'), 'multiplyBy'>(factory);
    expect((await runOver(made, { threads }, [3])).outputs).toEqual([15]);
  });

  it('dead-letters what throws, and goes on', async () => {
    const { outputs, letters } = await runOver(cpuTask(numbers.throwOn), { threads });
    expect(outputs).toHaveLength(COUNT - 1);
    expect(letters).toMatchObject([{ task: 'Work', record: 13, attempts: 1, message: 'thirteen: why' }]);
  });

  it.each([
    ['skip', COUNT - 1, { skipped: 1 }],
    [{ fallback: -1 }, COUNT, { failed: 1 }],
  ] as const)('applies the policy %j', async (onFailure, count, counts) => {
    const { outputs, summary } = await runOver(cpuTask(numbers.throwOn, { onFailure }), { threads });
    expect(outputs).toHaveLength(count);
    expect(summary.tasks['Work']).toMatchObject(counts);
  });

  it('fails the run where the policy says so', async () => {
    const failing = runOver(cpuTask(numbers.throwOn, { onFailure: 'fail' }), { threads });
    await expect(failing).rejects.toThrow('thirteen');
  });

  it('counts what is skipped in the thread', async () => {
    const { summary } = await runOver(cpuTask(numbers.skipOdd), { threads });
    expect(summary.tasks['Work']).toMatchObject({
      out: COUNT / 2,
      skipped: COUNT / 2,
      skipReasons: { odd: COUNT / 2 },
    });
  });

  it('checks what goes in and what comes out', async () => {
    const task = cpuTask(numbers.addOne, { input: thirdOnly });
    expect((await runOver(task, { threads }, [3, 4, 6])).outputs.sort()).toEqual([4, 7]);
    const { outputs, letters } = await runOver(cpuTask(numbers.addOne, { output: thirdOnly }), { threads }, [2, 3]);
    expect(outputs).toEqual([3]);
    expect(letters).toMatchObject([{ code: 'MILLRACE_INVALID_OUTPUT', record: 4 }]);
  });

  it('does not check what takes the place of an output', async () => {
    const task = cpuTask(numbers.throwOn, { output: thirdOnly, onFailure: { fallback: 1 } });
    expect((await runOver(task, { threads }, [12, 13])).outputs.sort()).toEqual([1, 12]);
  });

  it('lets `GONE` slots through', async () => {
    const workflow = defineWorkflow({
      name: 'Gone',
      build: (flow) =>
        flow
          .task('Read', sourceTask(RECORDS))
          .task(
            'Filter',
            ['Read'],
            syncTask((n: number) => (n % 2 === 0 ? n : skip('odd'))),
          )
          .task('Work', ['Filter'], cpuTask(numbers.double, { ordered: true }))
          .task(
            'Join',
            ['Read', 'Work'],
            syncTask(([n, doubled]) => [n, doubled] as const),
          ),
    });
    const run = workflow.run(undefined, { threads, window: 64 });
    const [joined] = await Promise.all([lastValueFrom(run.output$('Join').pipe(toArray())), run.finished]);
    expect(joined).toEqual(RECORDS.filter((n) => n % 2 === 0).map((n) => [n, n * 2]));
  });

  it('fails before anything is read where the export is not there', async () => {
    const where = { module: new URL('../workers/modules/numbers.js', import.meta.url), export: 'nothing' as never };
    const failing = runOver(cpuTask<typeof import('../workers/modules/numbers.js'), never>(where), { threads });
    await expect(failing).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
  });

  it('ends at once when the run is cancelled', async () => {
    const workflow = defineWorkflow({
      name: 'Cancel',
      build: (flow) => flow.task('Read', sourceTask(RECORDS)).task('Work', ['Read'], cpuTask(numbers.double)),
    });
    const run = workflow.run(undefined, { threads });
    run.output$('Work').subscribe(() => {
      run.cancel();
    });
    expect((await run.finished).outcome).toBe('cancelled');
  });
});

describe.each([
  ['one hop', {}],
  ['a hop each', { fuse: false }],
  ['inline', { threads: 0 }],
])('neighbouring cpuTasks in %s', (_, options) => {
  const chain = defineWorkflow({
    name: 'Chain',
    build: (flow) =>
      flow
        .task('Read', sourceTask(RECORDS))
        .task('Add', ['Read'], cpuTask(numbers.addOne))
        .task('Throw', ['Add'], cpuTask(numbers.throwOn))
        .task('Skip', ['Throw'], cpuTask(numbers.skipOdd)),
  });

  it('keep the accounts of each', async () => {
    const run = chain.run(undefined, { threads: 2, ...options });
    const letters: DeadLetter[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'dead-letter') letters.push(event.letter);
    });
    const { tasks } = await run.finished;
    expect(tasks['Add']).toMatchObject({ in: COUNT, out: COUNT });
    expect(tasks['Throw']).toMatchObject({ in: COUNT, out: COUNT - 1, deadLettered: 1 });
    expect(tasks['Skip']).toMatchObject({ in: COUNT - 1, out: COUNT / 2, skipped: COUNT / 2 - 1 });
    expect(letters).toMatchObject([{ task: 'Throw', record: 13 }]);
  });

  it('show what is made in between to who observes it', async () => {
    const run = chain.run(undefined, { threads: 2, ...options });
    const [added] = await Promise.all([lastValueFrom(run.output$('Add').pipe(toArray())), run.finished]);
    expect(added.sort((a, b) => a - b)).toEqual(RECORDS.map((n) => n + 1));
  });
});

it('fuses only neighbours that nobody can distinguish', () => {
  const plan = (second: Task<number, unknown>, first = cpuTask(numbers.addOne)): unknown =>
    defineWorkflow({
      name: 'Plan',
      build: (flow) =>
        flow
          .task('Read', sourceTask(RECORDS))
          .task('A', ['Read'], first)
          .task('B', ['A'], second)
          .task('C', ['B'], syncTask(String)),
    }).plan().hops;
  expect(plan(cpuTask(numbers.double))).toEqual([['A', 'B']]);
  expect(plan(cpuTask(numbers.double, { fuse: false }))).toEqual([]);
  expect(plan(cpuTask(numbers.double, { timeoutMs: 10 }))).toEqual([]);
  expect(plan(cpuTask(numbers.double, { input: thirdOnly }))).toEqual([]);
  expect(plan(cpuTask(numbers.double), cpuTask(numbers.addOne, { onFailure: { fallback: 0 } }))).toEqual([]);
  expect(plan(syncTask((n: number) => n))).toEqual([]);
});

describe('the threads of a run', () => {
  it('survive poison, are reported, and are gone at the end', async () => {
    const { letters, outputs, summary } = await runOver(cpuTask(numbers.exitOn), { threads: 2 });
    expect(outputs).toHaveLength(COUNT - 1);
    expect(letters).toMatchObject([{ record: 13, attempts: 2, code: 'MILLRACE_THREAD' }]);
    expect(summary.tasks['Work']).toMatchObject({ retried: 1, deadLettered: 1 });
    expect(summary.threads).toMatchObject({ size: 2, queued: 0, replaced: 2 });
    expect(process.getActiveResourcesInfo().filter((name) => name.includes('Worker'))).toEqual([]);
  });

  it('are not started for tasks that need none', async () => {
    const { summary } = await runOver(
      syncTask((n: number) => n),
      { threads: 2 },
    );
    expect(summary.threads).toBeUndefined();
  });

  it('say how busy they are', async () => {
    const { summary } = await runOver(cpuTask(numbers.burn), { threads: 1 }, new Array<number>(400).fill(2000));
    const [thread] = summary.threads?.threads ?? [];
    expect(thread).toMatchObject({ thread: 0, records: 400, outstanding: 0 });
    // Of its life, which was no longer than the run and began with a start that a slow machine makes long.
    const least = (0.9 * 400 * 2) / summary.elapsedMs;
    expect(thread?.busyShare).toBeGreaterThan(least);
    expect(thread?.eventLoopUtilization).toBeGreaterThan(least);
  });

  it('give outputs away where a module says what may be moved', async () => {
    type Poison = typeof import('../workers/modules/poison.js');
    const where = { module: new URL('../workers/modules/poison.js', import.meta.url), export: 'bytesOf' } as const;
    // The first of a chunk follows the last of another, which has left the thread by then.
    const someMoved = async (task: Task<number, Uint8Array>): Promise<boolean> => {
      const { outputs } = await runOver(task, { threads: 1 }, RECORDS.slice(0, 100));
      return (outputs as Uint8Array[]).some(([wasMoved]) => wasMoved === 1);
    };
    expect(await someMoved(cpuTask<Poison, 'bytesOf'>(where, { transfer: { output: 'buffersOf' } }))).toBe(true);
    expect(await someMoved(cpuTask<Poison, 'bytesOf'>(where))).toBe(false);
  });

  it('stop a record that takes longer than its time', async () => {
    const { letters } = await runOver(cpuTask(numbers.spinOn, { timeoutMs: 1000 }), { threads: 2 }, [12, 13, 14]);
    expect(letters).toMatchObject([{ record: 13, code: 'MILLRACE_TIMEOUT' }]);
  });
});

it('refuses a function that does not say where it lives', () => {
  expect(() => cpuTask(((n: number) => n) as never)).toThrow('threadFunction');
  expect(() => cpuTask({ module: './relative.js', export: 'x' } as never)).toThrow('Expected the module');
});

it('leaves a tagged function callable and testable on its own', () => {
  expect(numbers.double(4)).toBe(8);
  expect(numbers.multiplyBy(3)(4)).toBe(12);
});
