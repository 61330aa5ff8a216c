/** Remembered outputs in whole runs: requests, resumed runs, the folder, and where hits are shown. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { from } from 'rxjs';
import { asyncTask, defineWorkflow, sourceTask, syncTask, type RunEvent } from 'millrace';
import { requestTask } from 'millrace/http';
import { memoFolder } from 'millrace/memo';
import { reportOf } from 'millrace/observe';
import { fakeUpstream, memoryCheckpoints, virtualClock } from 'millrace/testing';
import { graphText } from '#lib/commands/graph-text.js';
import { renderSummary } from '#lib/commands/final-table.js';
import { RunGauges } from '#lib/observe/run-gauges.js';
import { RunViewBuilder } from '#lib/server/runs/run-view.js';
import { runToEnd, task } from '../support/run-to-end.js';
import { memoryStore } from './support/memory-store.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'memo-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a request that remembers', () => {
  const ask = async (
    store = memoryStore(),
    given: object = {},
  ): Promise<{ readonly calls: number; readonly out: unknown }> => {
    const clock = virtualClock();
    const upstream = fakeUpstream(clock, ({ number }) =>
      number === 2 ? { status: 503 } : { body: { number }, afterMs: 5 },
    );
    const request = requestTask<number, unknown>({
      ...{ url: 'http://upstream/ask', body: (n) => ({ n }), memo: { store, version: 1 }, retry: { attempts: 3 } },
      ...given,
    });
    const tasks = [task('Read', [], sourceTask([7, 8])), task('Ask', ['Read'], request)];
    const { outputs } = await clock.runUntil(runToEnd(tasks, { clock, upstream }));
    return { calls: upstream.calls.length, out: outputs['Ask'] };
  };

  it('calls the upstream once per record, over all runs, and remembers no failed attempt', async () => {
    const store = memoryStore();
    const first = await ask(store);
    expect(first.calls).toBe(3);
    expect(await ask(store)).toEqual({ calls: 0, out: first.out });
  });

  it('asks again with another URL, method, body or header, and not with another credential', async () => {
    const store = memoryStore();
    const headers = { Authorization: 'Bearer one', 'x-model': 'a' };
    await ask(store, { headers });
    expect((await ask(store, { headers: { ...headers, Authorization: 'Bearer two' } })).calls).toBe(0);
    const others = [
      { headers: { ...headers, 'x-model': 'b' } },
      ...[
        { headers, url: 'http://upstream/other' },
        { headers, method: 'PUT' },
        { headers, body: () => 1 },
      ],
    ];
    for (const other of others) expect((await ask(store, other)).calls).toBe(3);
  });
});

it('a run that drains and is resumed ends with the results of one that does not, and asks no record twice', async () => {
  const store = memoryStore();
  const records = Array.from({ length: 40 }, (_, n) => n);
  const kept = memoryCheckpoints();
  const clock = virtualClock();
  const calls: number[] = [];
  const outputs: unknown[] = [];
  const work = async (n: number): Promise<number> => {
    calls.push(n);
    await new Promise<void>((resolve) => clock.schedule(100, resolve));
    return n * n;
  };
  const workflow = defineWorkflow({
    name: 'Resumed',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('Work', ['Read'], asyncTask(work, { concurrency: 4, ordered: true, memo: { store, version: 1 } }))
        .task(
          'Keep',
          ['Work'],
          syncTask((n) => void outputs.push(n)),
        ),
  });
  // Half of the outputs are known.
  await clock.runUntil(
    runToEnd(
      [
        task('Read', [], sourceTask(records.filter((n) => n % 2 === 0))),
        task('Work', ['Read'], asyncTask(work, { memo: { store, version: 1 } })),
      ],
      { clock },
    ),
  );
  const first = workflow.run(undefined, { clock, checkpoints: kept.begin(), window: 8 });
  await clock.advance(250);
  first.drain();
  expect((await clock.runUntil(first.finished)).outcome).toBe('drained');
  const again = kept.last === undefined ? {} : { resumeFrom: kept.last };
  const second = workflow.run(undefined, { clock, checkpoints: kept.begin(), window: 8, ...again });
  expect((await clock.runUntil(second.finished)).outcome).toBe('completed');
  expect(outputs).toEqual(records.map((n) => n * n));
  expect([...calls].sort((a, b) => a - b)).toEqual(records);
});

describe('the folder of a run', () => {
  const make = (): ReturnType<typeof task>[] => [
    task(
      'Read',
      [],
      sourceTask([
        { at: new Date(0), big: 5n },
        { at: new Date(1), big: 6n },
      ]),
    ),
    task(
      'Work',
      ['Read'],
      syncTask((one: { at: Date; big: bigint }) => new Map([[one.big, one.at]]), {
        memo: { store: memoFolder(join(folder, 'memo')), module: import.meta.url },
      }),
    ),
  ];

  it('returns values of all types to the next run, and is repaired where it is damaged', async () => {
    const first = await runToEnd(make());
    const second = await runToEnd(make());
    expect(second.summary.tasks['Work']?.memo).toEqual({ hits: 2, misses: 0, stored: 0 });
    expect(second.outputs['Work']).toEqual(first.outputs['Work']);
    const names = (await readdir(join(folder, 'memo'), { recursive: true })).filter((name) => name.endsWith('.json'));
    const path = join(folder, 'memo', names[0] as string);
    const bytes = await readFile(path);
    for (const damage of [bytes.subarray(0, 20), Buffer.alloc(0), Buffer.from(bytes.map((byte) => byte ^ 1))]) {
      await writeFile(path, damage);
      const ended = await runToEnd(make());
      expect(ended.summary.tasks['Work']?.memo).toEqual({ hits: 1, misses: 1, stored: 1 });
      expect(ended.outputs['Work']).toEqual(first.outputs['Work']);
    }
  });

  it('serves two runs at the same time', async () => {
    const both = await Promise.all([runToEnd(make()), runToEnd(make())]);
    expect(both[0].outputs['Work']).toEqual(both[1].outputs['Work']);
    expect((await runToEnd(make())).summary.tasks['Work']?.memo?.hits).toBe(2);
  });
});

it('hits are in the table, the report, the metrics and the view of a run, and the graph names the store', async () => {
  const store = { ...memoryStore(), location: './outputs' };
  const tasks = [
    task('Read', [], sourceTask([1, 2, 3])),
    task(
      'Work',
      ['Read'],
      syncTask((n: number) => n, { memo: { store, version: 1 } }),
    ),
  ];
  await runToEnd(tasks.map((one) => (one.name === 'Read' ? task('Read', [], sourceTask([1, 2])) : one)));
  const { summary, events } = await runToEnd(tasks);
  expect(renderSummary(summary, Infinity)).toContain('  2 remembered by Work, 1 processed');
  const report = await reportOf(from(events as RunEvent[]));
  expect(report).toContain('remembered');
  expect(report).toContain('2 of 3');
  const gauges = new RunGauges();
  const view = new RunViewBuilder();
  for (const event of events) {
    gauges.record(event);
    view.record(event);
  }
  expect(gauges.text()).toMatch(/millrace_memo_hits_total\{.*task="Work"\} 2\n/);
  expect(gauges.text()).not.toMatch(/millrace_memo_hits_total\{.*task="Read"/);
  expect(view.build()?.tasks.map(({ remembered }) => remembered)).toEqual([null, 2]);
  const workflow = defineWorkflow({
    name: 'Shown',
    build: (flow) =>
      flow.task('Read', sourceTask([1])).task(
        'Work',
        ['Read'],
        syncTask((n) => n, { memo: { store, version: 1 } }),
      ),
  });
  expect(graphText('Shown', workflow.plan()).at(-1)).toBe('Outputs remembered in ./outputs: Work');
});
