import { describe, expect, it } from '@jest/globals';
import { aggregateTask, expandTask, operatorTask, sinkTask, sourceTask, syncTask } from 'millrace';
import { virtualClock } from 'millrace/testing';
import { bufferTime, map, Observable, take } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
function* naturals(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}

describe('boundaries', () => {
  it('an endless expansion holds no more than the window, and ends when nobody wants more', async () => {
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask([1])),
        task(
          'E',
          ['S'],
          expandTask(() => naturals()),
        ),
        task('O', ['E'], operatorTask<number, number>(take(25))),
      ],
      { window: 4 },
    );
    expect(outputs['O']).toEqual(range(25));
  });

  it('an operator that completes early stops an endless source', async () => {
    const { outputs, summary } = await runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => naturals()),
        ),
        task('T', ['S'], keep),
        task('O', ['T'], operatorTask<number, number>(take(10))),
      ],
      { window: 8 },
    );
    expect(outputs['O']).toEqual(range(10));
    expect(summary.outcome).toBe('completed');
  });

  it('an operator that fails, fails the run', async () => {
    const failed = runToEnd([
      task('S', [], sourceTask([1, 2])),
      task(
        'O',
        ['S'],
        operatorTask<number, number>(
          map(() => {
            throw new Error('inside');
          }),
        ),
      ),
    ]);
    await expect(failed).rejects.toThrow("The operator of 'O' failed: inside");
  });

  it('an operator that needs time follows the time of the run', async () => {
    const clock = virtualClock();
    const ticks = sourceTask(
      () =>
        new Observable<number>((s) => {
          let n = 0;
          const tick = (): void => {
            s.next(n++);
            if (n < 6) clock.schedule(400, tick);
            else s.complete();
          };
          clock.schedule(400, tick);
        }),
    );
    const ended = runToEnd(
      [
        task('S', [], ticks),
        task(
          'O',
          ['S'],
          operatorTask<number, number[]>((n$, { scheduler }) => n$.pipe(bufferTime(1000, scheduler))),
        ),
      ],
      { clock },
    );
    const { outputs } = await clock.runUntil(ended);
    expect(outputs['O']).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
  });

  it('an aggregate with too many keys fails the run', async () => {
    const count = aggregateTask(
      { key: (n: number) => n, init: () => 0, add: (c) => c + 1, finish: (c) => c },
      { maxKeys: 3 },
    );
    const failed = runToEnd([task('S', [], sourceTask(range(10))), task('A', ['S'], count)]);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_AGGREGATE_OVERFLOW' });
  });

  it('a sink function gets records one at a time by default', async () => {
    let [now, most] = [0, 0];
    await runToEnd([
      task('S', [], sourceTask(range(20))),
      task(
        'K',
        ['S'],
        sinkTask(async () => {
          most = Math.max(most, ++now);
          await null;
          now--;
        }),
      ),
    ]);
    expect(most).toBe(1);
  });
});
