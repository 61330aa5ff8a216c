/** A checkpoint is due after half a window of calls, so that a crash repeats at most one window of them. */
import { describe, expect, it } from '@jest/globals';
import { aggregateTask, asyncTask, defineWorkflow, sourceTask } from 'millrace';
import { memoryCheckpoints, virtualClock, type VirtualClock } from 'millrace/testing';

const WINDOW = 64;
const SIZE = 1000;
/** 16 calls of 20 ms at a time: 800 per second. */
const CONCURRENCY = 16;
const CALL_MS = 20;

const flowWith = (call: (n: number) => Promise<number>) =>
  defineWorkflow({
    name: 'Calls',
    build: (flow) =>
      flow
        .task('Numbers', sourceTask(Array.from({ length: SIZE }, (_, n) => n)))
        .task('Call', ['Numbers'], asyncTask(call, { concurrency: CONCURRENCY }))
        .task(
          'Sum',
          ['Call'],
          aggregateTask({
            key: () => 'all',
            init: () => 0,
            add: (sum: number, n: number) => sum + n,
            finish: (sum) => sum,
          }),
        ),
  });

describe('a run that is killed', () => {
  it.each([470, 777, 990])(
    'after %i ms has repeated at most one window of calls once it has been resumed',
    async (ms) => {
      const kept = memoryCheckpoints();
      const started: number[][] = [];
      const live = async (clock: VirtualClock, untilMs: number | undefined): Promise<unknown> => {
        const own: number[] = [];
        started.push(own);
        const flow = flowWith((n) => {
          own.push(n);
          return new Promise((resolve) =>
            clock.schedule(CALL_MS, () => {
              resolve(n);
            }),
          );
        });
        const last = kept.last;
        const run = flow.run(undefined, {
          clock,
          window: WINDOW,
          checkpoints: kept.begin(),
          ...(last && { resumeFrom: last }),
        });
        const sums: unknown[] = [];
        run.output$('Sum').subscribe({ next: (sum) => sums.push(sum), error: () => undefined });
        if (untilMs !== undefined)
          clock.schedule(untilMs, () => {
            run.cancel();
          });
        await clock.runUntil(run.finished.catch(() => undefined));
        return sums[0];
      };
      await live(virtualClock(), ms);
      const sum = await live(virtualClock(), undefined);
      const [before = [], after = []] = started;
      const repeated = after.filter((n) => before.includes(n)).length;
      expect(before.length).toBeGreaterThan(4 * WINDOW);
      expect(repeated).toBeGreaterThan(0);
      expect(repeated).toBeLessThanOrEqual(WINDOW);
      expect(sum).toEqual((SIZE * (SIZE - 1)) / 2);
    },
  );
});
