/** Functions that are called for a record until it is done. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, skip, sourceTask, syncTask, type RunEvent, type RunSummary } from 'millrace';
import { iterateTask, type Iterated, type IterateOptions } from 'millrace/iterate';
import {
  memoryCheckpoints,
  recordingDeadLetters,
  recordingSink,
  virtualClock,
  type VirtualClock,
} from 'millrace/testing';
import { z } from 'zod';
import { planStages } from '#lib/lanes/stages.js';

interface Trial {
  readonly outputs: readonly unknown[];
  readonly letters: readonly { code: string; message: string; attempts: number }[];
  readonly summary: RunSummary;
  readonly events: readonly RunEvent[];
}

async function trial<State>(
  records: readonly number[],
  make: (clock: VirtualClock) => Iterated<number, State>,
  options: IterateOptions<number, State> = {},
): Promise<Trial> {
  const clock = virtualClock();
  const sink = recordingSink<State>();
  const deadLetters = recordingDeadLetters();
  const events: RunEvent[] = [];
  const run = defineWorkflow({
    name: 'Iterations',
    build: (flow) =>
      flow
        .task('Read', sourceTask(records))
        .task('Poll', ['Read'], iterateTask(make(clock), options))
        .task('Keep', ['Poll'], sink.task),
  }).run(undefined, { clock, deadLetters, seed: 1 });
  run.events$.subscribe((event) => events.push(event));
  const summary = await clock.runUntil(run.finished);
  expect(clock.pending).toBe(0);
  const letters = deadLetters.letters.map(({ code, message, attempts }) => ({ code, message, attempts }));
  return { outputs: sink.records, letters, summary, events };
}

/** Counts up to the record. */
const counting = {
  init: (): number => 0,
  step: async (n: number): Promise<number> => n + 1,
  maxIterations: 10,
};

describe('an iterateTask', () => {
  it('calls its step with the last state until the record is done, and emits the last state', async () => {
    const seen: unknown[] = [];
    const { outputs, summary, events } = await trial([3, 1], () => ({
      init: (record) => [record],
      step: async (state, { record, iteration, attempt, task }) => {
        seen.push([record, iteration, attempt, task]);
        return [...state, iteration];
      },
      until: (state) => state.length > (state[0] ?? 0),
      maxIterations: 3,
    }));
    expect(outputs).toEqual([
      [3, 1, 2, 3],
      [1, 1],
    ]);
    expect(seen).toEqual([
      [3, 1, 1, 'Poll'],
      [1, 1, 1, 'Poll'],
      [3, 2, 1, 'Poll'],
      [3, 3, 1, 'Poll'],
    ]);
    expect(summary.tasks['Poll']).toMatchObject({ kind: 'iterate', in: 2, out: 2, iterations: 4, retried: 0 });
    expect(summary.tasks['Keep']).not.toHaveProperty('iterations');
    expect(
      events.find(({ type, ...event }) => type === 'task-ended' && 'task' in event && event.task === 'Poll'),
    ).toMatchObject({
      counts: { iterations: 4 },
    });
  });

  it('waits between two iterations of a record, and lets others go on meanwhile', async () => {
    const log: string[] = [];
    const { outputs } = await trial<number>(
      [1, 2],
      (clock) => ({
        ...counting,
        step: async (n, { record }) => {
          log.push(`${clock.now()}: ${record}`);
          return n + 1;
        },
        until: (n) => n === 2,
        everyMs: 1000,
      }),
      { concurrency: 1 },
    );
    expect(log).toEqual(['0: 1', '0: 2', '1000: 1', '1000: 2']);
    expect(outputs).toEqual([2, 2]);
  });

  it('keeps the order of the input if asked to', async () => {
    const orderly = await trial(
      [3, 1, 2],
      () => ({
        init: (n) => [n, 0],
        step: async ([n = 0, at = 0]) => [n, at + 1],
        until: ([n, at]) => n === at,
        maxIterations: 3,
      }),
      { ordered: true },
    );
    expect(orderly.outputs).toEqual([
      [3, 3],
      [1, 1],
      [2, 2],
    ]);
  });

  it('gives up a record that is not done after the most iterations', async () => {
    const { outputs, letters, summary } = await trial<number>([1, 2], () => ({
      init: (n) => n,
      step: async (n) => n + 2,
      until: (n) => n === 8,
      maxIterations: 3,
    }));
    expect(outputs).toEqual([8]);
    expect(letters).toMatchObject([{ code: 'MILLRACE_ITERATIONS', attempts: 1 }]);
    expect(letters[0]?.message).toContain("'Poll' was not done with the record after 3 iterations");
    expect(summary.tasks['Poll']).toMatchObject({ in: 2, out: 1, deadLettered: 1, iterations: 6 });
  });

  it('retries an iteration, which gets the state of the one before again and attempts of its own', async () => {
    const tries: string[] = [];
    const { outputs, letters, summary, events } = await trial(
      [1],
      () => ({
        ...counting,
        step: async (n, { iteration, attempt }) => {
          tries.push(`${n}: ${iteration}.${attempt}`);
          if (attempt < 3) throw new Error('down');
          return n + 1;
        },
        until: (n) => n === 3,
      }),
      { retry: { attempts: 3 } },
    );
    expect(tries).toEqual(['0: 1.1', '0: 1.2', '0: 1.3', '1: 2.1', '1: 2.2', '1: 2.3', '2: 3.1', '2: 3.2', '2: 3.3']);
    expect([outputs, letters]).toEqual([[3], []]);
    expect(summary.tasks['Poll']).toMatchObject({ iterations: 3, retried: 6 });
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(6);
  });

  it('bounds the time of each attempt, and of a record over all iterations; what comes too late changes nothing', async () => {
    const lateSteps: number[] = [];
    const slow = (clock: VirtualClock): Iterated<number, number> => ({
      ...counting,
      step: async (n, { attempt, signal }) => {
        await new Promise<void>((resolve) => {
          const cancel = clock.schedule(attempt === 1 ? 500 : 50, resolve);
          signal.addEventListener('abort', () => {
            cancel();
            resolve();
          });
        });
        if (signal.aborted) lateSteps.push(n);
        return n + (attempt === 1 ? 100 : 1);
      },
      until: (n) => n >= 3,
    });
    const { outputs } = await trial([1], slow, { timeoutMs: 100, retry: { attempts: 2, baseMs: 1 } });
    expect([outputs, lateSteps]).toEqual([[3], [0, 1, 2]]);
    const polling = (): Iterated<number, number> => ({
      ...counting,
      until: () => false,
      everyMs: 1000,
      maxIterations: 100,
    });
    const { letters, summary } = await trial([1], polling, { recordTimeoutMs: 5500 });
    expect(letters).toMatchObject([{ code: 'MILLRACE_TIMEOUT' }]);
    expect(summary.tasks['Poll']).toMatchObject({ iterations: 6 });
  });

  it('does not retry an error of `init` or `until`, which would come again', async () => {
    const calls: string[] = [];
    const { letters } = await trial(
      [1, 2],
      () => ({
        init: (n) => {
          if (n === 1) throw new Error('no beginning');
          return n;
        },
        step: async (n) => {
          calls.push('step');
          return n;
        },
        until: () => {
          throw new Error('no end');
        },
        maxIterations: 3,
      }),
      { retry: { attempts: 5 } },
    );
    expect(letters.map(({ message }) => message).sort()).toEqual([
      "`init` of 'Poll' threw: no beginning",
      "`until` of 'Poll' threw: no end",
    ]);
    expect(calls).toEqual(['step']);
  });

  it('may skip a record, and checks the record and the last state by their schemas', async () => {
    const { outputs, letters, summary } = await trial<number>(
      [1, 2, 3, 99],
      () => ({
        ...counting,
        init: (n) => n,
        step: async (n, { record }) => (record === 2 ? skip('even') : n * 10),
        until: (n) => n >= 10,
      }),
      { input: z.number().max(10), output: z.number().max(20) },
    );
    expect(outputs).toEqual([10]);
    expect(summary.tasks['Poll']).toMatchObject({ skipReasons: { even: 1 } });
    expect(letters.map(({ code }) => code).sort()).toEqual(['MILLRACE_INVALID_INPUT', 'MILLRACE_INVALID_OUTPUT']);
  });

  it.each([true, false])(
    'continues a record after a crash where it was, if its states are kept (%s)',
    async (durable) => {
      const kept = memoryCheckpoints();
      const steps: string[] = [];
      let mayEnd = false;
      const Polling = defineWorkflow({
        name: 'Polling',
        build: (flow) =>
          flow
            .task('Read', sourceTask([1, 2]))
            .task(
              'Poll',
              ['Read'],
              iterateTask(
                {
                  init: () => ({ n: 0 }),
                  step: async ({ n }, { record, iteration }) => {
                    steps.push(`${record}.${iteration} after ${n}`);
                    await new Promise((done) => setImmediate(done));
                    if (record === 2 && iteration === 3 && !mayEnd) throw new Error('down');
                    return { n: n + 1 };
                  },
                  until: ({ n }: { n: number }) => n === 3,
                  maxIterations: 3,
                },
                { concurrency: 1, onFailure: 'fail', durable },
              ),
            )
            .task(
              'Show',
              ['Poll'],
              syncTask(({ n }) => n),
            ),
      });
      await expect(Polling.run(undefined, { checkpoints: kept.begin() }).finished).rejects.toThrow("'Poll' failed");
      mayEnd = true;
      const before = steps.splice(0).length;
      const run = Polling.run(undefined, { checkpoints: kept.begin(), ...(kept.last && { resumeFrom: kept.last }) });
      expect(await run.finished).toMatchObject({ outcome: 'completed' });
      expect(before).toBe(6);
      expect(steps).toEqual(durable ? ['2.3 after 2'] : ['2.1 after 0', '2.2 after 1', '2.3 after 2']);
    },
  );

  it('stays in the stage of its input in a workflow over several processes', () => {
    const { plan, declarations } = defineWorkflow({
      name: 'Spread',
      build: (flow) =>
        flow
          .task('Read', sourceTask([1]))
          .task('Poll', ['Read'], iterateTask({ ...counting, until: (n: number) => n === 2 })),
    }).plan();
    const { stages } = planStages(plan, declarations, { workflow: 'Spread', run: '1', partitions: 3 });
    expect(stages.map(({ tasks }) => tasks)).toEqual([['Read', 'Poll']]);
  });

  it.each([
    [{ ...counting, until: 1 }, 'Expected `until` of an iterateTask to be a function'],
    [
      { ...counting, until: Boolean, maxIterations: undefined },
      'Expected `maxIterations` of the functions of an iterateTask',
    ],
    [{ ...counting, until: Boolean, maxIterations: 0 }, 'Expected `maxIterations`'],
    [{ ...counting, until: Boolean, every: 5 }, 'has no option `every`'],
  ])('refuses functions that do not fit (%#)', (functions, message) => {
    expect(() => iterateTask(functions as never)).toThrow(message);
  });
});
