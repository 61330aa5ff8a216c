import { describe, expect, it } from '@jest/globals';
import { asyncTask, cpuTask, sinkTask, sourceTask, syncTask, Workflow, type Clock, type RunEvent } from 'millrace';
import { virtualClock } from 'millrace/testing';
import { double } from '../workers/modules/numbers.js';
import { runToEnd, task } from '../support/run-to-end.js';

type Progress = Extract<RunEvent, { type: 'progress' }>;

const sleep = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.schedule(ms, resolve);
  });

const progressOf = (events: readonly RunEvent[]): Progress[] => events.filter((event) => event.type === 'progress');

describe('the measures of a run', () => {
  it('separate queueing from service, and report what the time of each task went to', async () => {
    const clock = virtualClock();
    const tasks = [
      task('S', [], sourceTask([1, 2, 3, 4])),
      task(
        'Slow',
        ['S'],
        asyncTask(() => sleep(clock, 1000).then(() => 1), { concurrency: 1 }),
      ),
      task(
        'After',
        ['Slow'],
        asyncTask(() => sleep(clock, 250).then(() => 1), { concurrency: 2 }),
      ),
    ];
    const { summary, events } = await clock.runUntil(runToEnd(tasks, { clock }));
    const { Slow, After } = summary.tasks;
    // Four records, a second each, one at a time, then 250 ms of the last one.
    expect(summary.elapsedMs).toBe(4250);
    expect(Slow).toMatchObject({
      latencyMs: { max: 1000 },
      queueMs: { max: 3000 },
      shares: { busy: 0.941, blocked: 0 },
    });
    expect(Slow?.load).toBeCloseTo(4000 / 4250, 2);
    expect(After).toMatchObject({ latencyMs: { max: 250 }, queueMs: { max: 0 } });
    expect(After?.shares.busy).toBeCloseTo(1000 / 4250, 2);
    expect(After?.load).toBeCloseTo(500 / 4250, 2);
    expect(summary.bottleneck).toEqual({ task: 'Slow', load: Slow?.load });
    expect(summary.slowest[0]).toMatchObject({ task: 'Slow', root: 'S', ms: 1000 });
    const last = progressOf(events).at(-1);
    expect(last?.tasks['Slow']).toMatchObject({ in: 4, out: 4, inFlight: 0, batches: 4 });
    expect(last?.tasks['S']?.readShare).toBe(1);
    expect(last?.tasks['Slow']?.readShare).toBeUndefined();
    expect(last?.tasks['Slow']?.perSecond.average).toBeCloseTo(4 / 4.25, 2);
  });

  it('show each second by itself: a task that has become idle is idle', async () => {
    const clock = virtualClock();
    const tasks = [
      task('S', [], sourceTask([1, 2])),
      task(
        'First',
        ['S'],
        asyncTask(() => sleep(clock, 1000).then(() => 1), { concurrency: 1 }),
      ),
      task(
        'Then',
        ['First'],
        asyncTask(() => sleep(clock, 3000).then(() => 1), { concurrency: 1 }),
      ),
    ];
    const { events } = await clock.runUntil(runToEnd(tasks, { clock }));
    const seconds = progressOf(events).filter(({ elapsedMs }) => elapsedMs % 1000 === 0);
    expect(seconds.map(({ tasks: of }) => of['First']?.shares.busy).slice(0, 4)).toEqual([1, 1, 0, 0]);
    expect(seconds[0]?.bottleneck?.task).toBe('First');
    expect(seconds[3]?.bottleneck?.task).toBe('Then');
  });

  it('call a task blocked that holds records and waits for an earlier one', async () => {
    const clock = virtualClock();
    const firstIsSlow = (n: number): Promise<number> => sleep(clock, n === 0 ? 2000 : 500).then(() => n);
    const tasks = [
      task('S', [], sourceTask([0, 1, 2])),
      task('T', ['S'], asyncTask(firstIsSlow)),
      task('Load', ['T'], sinkTask({ write: () => undefined })),
    ];
    const { summary } = await clock.runUntil(runToEnd(tasks, { clock }));
    expect(summary.tasks['Load']?.shares).toEqual({ busy: 0, blocked: 0.75, waiting: 0.25 });
  });

  it('call a source blocked while its window is full', async () => {
    const clock = virtualClock();
    const tasks = [
      task('S', [], sourceTask([1, 2, 3, 4])),
      task(
        'T',
        ['S'],
        asyncTask(() => sleep(clock, 1000).then(() => 1), { concurrency: 1 }),
      ),
    ];
    const { summary } = await clock.runUntil(runToEnd(tasks, { clock, window: 1 }));
    expect(summary.tasks['S']?.shares).toEqual({ busy: 0, blocked: 1, waiting: 0 });
  });

  it('count what waits on each edge of a join, and what is in flight of each root', async () => {
    const clock = virtualClock();
    const tasks = [
      task('S', [], sourceTask([1, 2, 3])),
      task(
        'Quick',
        ['S'],
        syncTask((n: number) => n),
      ),
      task(
        'Slow',
        ['S'],
        asyncTask(() => sleep(clock, 1500).then(() => 1)),
      ),
      task(
        'Both',
        ['Quick', 'Slow'],
        syncTask(([a]: readonly [number, number]) => a),
      ),
    ];
    const { events } = await clock.runUntil(runToEnd(tasks, { clock, window: 64 }));
    const [first] = progressOf(events);
    expect(first?.edges).toContainEqual({ from: 'Quick', to: 'Both', records: 3, waiting: 3 });
    expect(first?.edges).toContainEqual({ from: 'Slow', to: 'Both', records: 0, waiting: 0 });
    expect(first?.roots).toEqual({ S: { born: 3, settled: 0, inFlight: 3, window: 64, watermark: 0 } });
    expect(
      progressOf(events)
        .at(-1)
        ?.edges.every(({ waiting }) => waiting === 0),
    ).toBe(true);
  });

  it('measure work on the event loop by itself, without what comes after it in the same turn', async () => {
    const spin = (ms: number): void => {
      const until = performance.now() + ms;
      while (performance.now() < until);
    };
    const tasks = [
      task('S', [], sourceTask(Array.from({ length: 40 }, (_, n) => n))),
      task(
        'Light',
        ['S'],
        syncTask((n: number) => n),
      ),
      task(
        'Heavy',
        ['Light'],
        syncTask((n: number) => (spin(2), n)),
      ),
    ];
    const { summary } = await runToEnd(tasks);
    expect(summary.tasks['Heavy']?.load).toBeGreaterThan(10 * (summary.tasks['Light']?.load ?? 1));
    expect(summary.bottleneck?.task).toBe('Heavy');
  });

  it('report about the process only while somebody listens, and leave nothing on', async () => {
    const tasks = [
      task('S', [], sourceTask([1])),
      task(
        'T',
        ['S'],
        syncTask((n: number) => n),
      ),
    ];
    const unobserved = await new Workflow({ name: 'w', tasks: () => tasks }).run().finished;
    expect(unobserved.resources).toMatchObject({ rssBytes: expect.any(Number), cpuMs: expect.any(Number) });
    expect(unobserved.resources?.heapUsedBytes).toBeUndefined();
    const { summary, events } = await runToEnd(tasks);
    expect(summary.resources?.heapUsedBytes).toBeGreaterThan(0);
    expect(events.find((event) => event.type === 'resources')?.process).toMatchObject({
      rssBytes: expect.any(Number),
      eventLoop: { utilization: expect.any(Number) },
    });
    const clock = virtualClock();
    const virtual = await clock.runUntil(runToEnd(tasks, { clock }));
    expect(virtual.summary.resources).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  it('report when threads can work and when they have ended, and how the pool is doing', async () => {
    const tasks = [task('S', [], sourceTask([1, 2, 3])), task('T', ['S'], cpuTask(double))];
    const { events } = await runToEnd(tasks, { threads: 1 });
    const types = events.map(({ type }) => type);
    expect(types.indexOf('thread-started')).toBeGreaterThan(0);
    expect(types.indexOf('thread-ended')).toBeGreaterThan(types.indexOf('thread-started'));
    expect(types.at(-1)).toBe('run-ended');
    expect(events.findLast((event) => event.type === 'resources')?.pool).toMatchObject({
      size: 1,
      threads: [{ thread: 0 }],
    });
  });

  it('come after run-started, whoever had something to report before', async () => {
    const run = new Workflow({
      name: 'w',
      tasks: () => [
        task('S', [], sourceTask([1])),
        task(
          'T',
          ['S'],
          syncTask((n: number) => n),
        ),
      ],
    }).run();
    const types: string[] = [];
    run.notice('before it starts');
    run.events$.subscribe(({ type }) => types.push(type));
    await run.finished;
    expect(types.slice(0, 2)).toEqual(['run-started', 'notice']);
  });
});
