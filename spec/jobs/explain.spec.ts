/** The explanation of a workflow: from its plan, and beside it what a run has measured. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { of } from 'rxjs';
import {
  aggregateTask,
  asyncTask,
  defineWorkflow,
  operatorTask,
  sinkTask,
  sourceTask,
  statefulTask,
  syncTask,
  type AsyncOptions,
} from 'millrace';
import { requestTask } from 'millrace/http';
import { iterateTask } from 'millrace/iterate';
import { tumbling, windowTask } from 'millrace/windows';
import { explanationText } from '#lib/commands/explanation-text.js';
import { explainWorkflow } from '#lib/jobs/explain-workflow.js';
import { openRunOf } from '#lib/jobs/kept-runs.js';
import { explanationOf, keepPlan } from '#lib/jobs/kept-plan.js';
import { writeReport } from '#lib/jobs/run-report.js';
import { lastMeasured, measuresOf } from '#lib/jobs/run-measures.js';
import type { RunMeasures } from '#lib/observe/report/explanation.js';
import { RunFolder } from '#lib/storage/run-folder.js';
import { eventFile } from 'millrace/storage';
import { memoryStore } from '../memo/support/memory-store.js';

const ask = (options: AsyncOptions<number, number> = {}) => asyncTask(async (n: number) => n, options);

const Shop = defineWorkflow({
  name: 'Shop',
  window: 100,
  build: (flow) =>
    flow
      .task('Orders', sourceTask([1, 2, 3]))
      .task('Price', ['Orders'], ask({ concurrency: 4, memo: { store: memoryStore(), version: 1 } }))
      .task(
        'Tax',
        ['Orders'],
        syncTask((n) => n / 5),
      )
      .task(
        'Both',
        ['Price', 'Tax'],
        syncTask(([price, tax]) => price + tax),
      )
      .task(
        'Sum',
        ['Both'],
        aggregateTask(
          { init: () => 0, add: (sum: number, n: number) => sum + n, finish: (sum) => sum },
          { maxKeys: 5 },
        ),
      )
      .task(
        'Print',
        ['Sum'],
        sinkTask(() => undefined),
      ),
});

/** In milliseconds per record, and busy. */
const measures = (times: Readonly<Record<string, number>>): RunMeasures => ({
  runId: 'r1',
  tasks: Object.fromEntries(Object.entries(times).map(([task, ms]) => [task, { recordMs: ms, busyMs: 1000 * ms }])),
  inFlight: { Orders: 90 },
  rssBytes: 100 * 2 ** 20,
});

describe('the explanation of a workflow', () => {
  it('has the chain with the most tasks as its critical path, until a run was measured', () => {
    const { criticalPath, run } = explainWorkflow(Shop.prepare(undefined), undefined);
    expect(run).toBeNull();
    expect(criticalPath.tasks.map(({ task }) => task)).toEqual(['Orders', 'Price', 'Both', 'Sum', 'Print']);
    expect([criticalPath.recordMs, criticalPath.busiest]).toEqual([null, null]);
  });

  it('has the chain with the longest time per record, and the busiest task, of a measured run', () => {
    const explain = (times: Readonly<Record<string, number>>) =>
      explainWorkflow(Shop.prepare(undefined), measures(times)).criticalPath;
    const slowTax = explain({ Orders: 1, Price: 2, Tax: 30, Both: 4 });
    expect(slowTax.tasks.map(({ task }) => task)).toEqual(['Orders', 'Tax', 'Both', 'Sum', 'Print']);
    expect([slowTax.recordMs, slowTax.busiest]).toEqual([35, { task: 'Tax', recordMs: 30, busyMs: 30_000 }]);
    expect(explain({ Orders: 1, Price: 31, Tax: 30 }).tasks.map(({ task }) => task)).toContain('Price');
  });

  it('does not end its critical path with a task that did not run', () => {
    const Tended = defineWorkflow({
      name: 'Tended',
      build: (flow) =>
        flow
          .task('Read', sourceTask([1]))
          .task(
            'Keep',
            ['Read'],
            sinkTask(() => undefined),
          )
          .task(
            'Alert',
            { after: ['Keep'], when: 'failed' },
            sinkTask(() => undefined),
          ),
    });
    const path = (known: RunMeasures | undefined) =>
      explainWorkflow(Tended.prepare(undefined), known).criticalPath.tasks.map(({ task }) => task);
    expect(path({ ...measures({ Read: 1, Keep: 2 }), skipped: ['Alert'] })).toEqual(['Read', 'Keep']);
    expect(path(undefined)).toEqual(['Read', 'Keep', 'Alert']);
  });

  it('names what bounds the memory, beside what was seen', () => {
    const { memory } = explainWorkflow(Shop.prepare(undefined), measures({}));
    expect(memory).toEqual([
      { of: 'Orders', what: 'records in flight', most: 100, seen: 90 },
      { of: 'Sum', what: 'records in flight', most: 100, seen: null },
      { of: 'Price', what: 'records in work', most: 4, seen: null },
      { of: 'Sum', what: 'keys', most: 5, seen: null },
      { of: 'Print', what: 'records in work', most: 1, seen: null },
    ]);
  });

  it('knows the bounds of each kind of task and of joins', () => {
    const poll = { init: (n: number) => n, step: (n: number) => Promise.resolve(n), until: () => true };
    const Kinds = defineWorkflow({
      name: 'Kinds',
      build: (flow) =>
        flow
          .task('Read', sourceTask([1, 2, 3]))
          .task('Call', ['Read'], requestTask({ url: 'http://upstream/', concurrency: 'auto' }))
          .task('Limited', ['Read'], ask({ timeoutMs: 5, concurrency: 3 }))
          .task('Poll', ['Read'], iterateTask({ ...poll, maxIterations: 2 }, { concurrency: 4 }))
          .task('State', ['Read'], statefulTask({ init: () => 0, step: (sum: number, n: number) => [sum + n, sum] }))
          .task(
            'Operate',
            ['Read'],
            operatorTask((input$) => input$, { buffer: 7 }),
          )
          .task(
            'Window',
            ['Read'],
            windowTask(
              {
                window: tumbling(10),
                timestamp: (n: number) => n,
                init: () => 0,
                add: (sum: number) => sum,
                finish: (sum: number) => sum,
              },
              { maxWindows: 9 },
            ),
          )
          .task(
            'All',
            ['Limited', 'Read'],
            { join: 'all', limit: 11 },
            syncTask((lists: readonly unknown[]) => lists.length),
          ),
    });
    const { memory } = explainWorkflow(Kinds.prepare(undefined), undefined);
    const found = memory
      .filter(({ what }) => what !== 'records in flight')
      .map(({ of: task, what, most }) => [task, what, most]);
    expect(found).toEqual([
      ['Call', 'calls in flight', 512],
      ['Limited', 'records in work', 3],
      ['Poll', 'records in work', 4],
      ['State', 'keys', 10_000_000],
      ['Operate', 'records beyond the window in the operator', 7],
      ['Window', 'open windows', 9],
      ['All', 'records collected per dependency', 11],
    ]);
  });

  it('says what a crash repeats, as a resumed run does it', () => {
    const { afterCrash, obstacle, unrepeatable } = explainWorkflow(Shop.prepare(undefined), undefined);
    expect(obstacle).toBeNull();
    expect(afterCrash).toEqual([
      { task: 'Orders', how: 'continues' },
      { task: 'Price', how: 'continues', calls: { isIdempotent: null }, isRemembered: true },
      { task: 'Tax', how: 'continues' },
      { task: 'Both', how: 'continues' },
      { task: 'Sum', how: 'kept' },
      { task: 'Print', how: 'continues' },
    ]);
    expect(unrepeatable).toEqual([{ task: 'Price', reason: 'a call may have another answer' }]);
  });

  it('reports an aggregate that is computed again, a source that is lost, and a join that repeats all', () => {
    const Others = defineWorkflow({
      name: 'Others',
      build: (flow) =>
        flow
          .task('File', sourceTask([1, 2]))
          .task(
            'Count',
            ['File'],
            aggregateTask({ init: () => 0, add: (count: number) => count + 1, finish: (count) => count }),
          )
          .task(
            'Feed',
            sourceTask(() => of(1, 2), { replayable: false }),
          )
          .task('Ask', ['Feed'], requestTask({ url: 'http://upstream/', idempotencyKey: false }))
          .task(
            'Union',
            ['File', 'Count'],
            { join: 'merge', durable: false },
            syncTask((n) => n),
          ),
    });
    const { afterCrash, unrepeatable } = explainWorkflow(Others.prepare(undefined), undefined);
    expect(Object.fromEntries(afterCrash.map(({ task, how }) => [task, how]))).toEqual({
      File: 'computed',
      Count: 'computed',
      Feed: 'skips',
      Ask: 'continues',
      Union: 'repeated',
    });
    expect(afterCrash.find(({ task }) => task === 'Ask')?.calls).toEqual({ isIdempotent: false });
    expect(unrepeatable.map(({ task }) => task)).toEqual(['Feed', 'Ask', 'Union']);
  });

  it('is a text without times before the first run, and with them after it', () => {
    const before = explanationText(explainWorkflow(Shop.prepare(undefined), undefined));
    expect(before.slice(0, 4)).toEqual([
      'Shop: no run was measured',
      '',
      'Critical path: the chain with the most tasks',
      '  task',
    ]);
    expect(before.join('\n')).toMatch(/^ {2}root or task +what +at most$/m);
    const after = explanationText(explainWorkflow(Shop.prepare(undefined), measures({ Orders: 1, Price: 2000 })));
    expect(after).toEqual(
      expect.arrayContaining([
        'Critical path: 2.0 s per record (the sum of the medians of waiting and work)',
        expect.stringMatching(/^ {2}Orders +1\.00 ms +1\.0 s$/),
        expect.stringMatching(/^ {2}Orders +records in flight +100 +90$/),
        'Peak of the process: 100 MiB',
      ]),
    );
  });
});

describe('the measures of kept runs', () => {
  let runs: string;
  beforeEach(async () => {
    runs = await mkdtemp(join(tmpdir(), 'runs-'));
  });
  afterEach(() => rm(runs, { recursive: true }));
  const place = () => ({ folder: runs, environment: {}, node: process.execPath }) as never;

  it('stand beside the kept plan of a run, also in its report, without its workflow', async () => {
    const folder = await RunFolder.create(runs, {
      ...{ format: 1, runId: 'kept', workflow: 'Shop', createdAt: 1, cwd: runs, deadLetters: null, request: null },
    });
    const checkpoints = await folder.begin();
    const prepared = Shop.prepare(undefined);
    await keepPlan(folder, prepared);
    expect((await explanationOf(folder))?.run).toBeNull();
    const run = prepared.run({ runId: 'kept', checkpoints });
    const recorded = eventFile(run.events$, folder.file('events.ndjson'));
    await folder.end(await run.finished);
    await recorded;
    const kept = await explanationOf(folder);
    expect(kept).toEqual(explainWorkflow(Shop.prepare(undefined), await measuresOf(folder)));
    expect(kept?.memory[0]).toMatchObject({ of: 'Orders', most: 100, seen: expect.any(Number) as unknown });
    const reportText = async (): Promise<string> => readFile(await writeReport(folder, { folder: runs }), 'utf8');
    const report = await reportText();
    for (const text of ['Plan and measures', 'Critical path: ', 'continues with its state from the last checkpoint']) {
      expect(report).toContain(text);
    }
    // The events alone are enough for a report.
    await writeFile(folder.file('plan.json'), '{"format":1');
    await expect(explanationOf(folder)).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    expect(await reportText()).not.toContain('Plan and measures');
    await rm(folder.file('plan.json'));
    expect(await explanationOf(folder)).toBeUndefined();
  });

  it('are those of the last run with a summary, and of the run that is named', async () => {
    for (const [index, runId] of ['one', 'two', 'three'].entries()) {
      const folder = await RunFolder.create(runs, {
        ...{ format: 1, runId, workflow: 'Shop', createdAt: index, cwd: runs, deadLetters: null, request: null },
      });
      const checkpoints = await folder.begin();
      const run = Shop.prepare(undefined).run({ runId, checkpoints });
      const recorded = eventFile(run.events$, folder.file('events.ndjson'));
      const summary = await run.finished;
      await recorded;
      // The last one has no summary, as a run that was killed.
      await folder.end(runId === 'three' ? undefined : summary);
    }
    const last = await lastMeasured(runs, 'Shop', place());
    expect(last?.runId).toBe('two');
    expect(Object.keys(last?.tasks ?? {})).toEqual(['Orders', 'Price', 'Tax', 'Both', 'Sum', 'Print']);
    expect(last?.inFlight).toHaveProperty('Orders');
    expect((await measuresOf(await openRunOf(runs, 'one', 'Shop', place())))?.runId).toBe('one');
    expect(await lastMeasured(runs, 'Other', place())).toBeUndefined();
    await expect(openRunOf(runs, 'one', 'Other', place())).rejects.toMatchObject({ code: 'MILLRACE_USAGE' });
  });
});
