import { describe, expect, it } from '@jest/globals';
import { asyncTask, sourceTask, syncTask } from 'millrace';
import { Observable } from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('sources', () => {
  it.each<[string, () => never]>([
    ['an array', () => range(1000) as never],
    ['a generator', () => range(1000).values() as never],
    [
      'an async generator',
      () =>
        (async function* () {
          for (const n of range(1000)) yield await Promise.resolve(n);
        })() as never,
    ],
    [
      'an Observable',
      () =>
        new Observable<number>((s) => {
          for (const n of range(1000)) s.next(n);
          s.complete();
        }) as never,
    ],
  ])('give every record of %s, in order', async (_, make) => {
    const { outputs } = await runToEnd([task('S', [], sourceTask(make)), task('T', ['S'], keep)], { window: 10 });
    expect(outputs['T']).toEqual(range(1000));
  });

  it('are not read further than the window', async () => {
    let drawn = 0;
    const run = runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(function* () {
            for (;;) yield drawn++;
          } as never),
        ),
        task(
          'T',
          ['S'],
          asyncTask(() => new Promise<number>(() => undefined)),
        ),
      ],
      { window: 5, signal: AbortSignal.timeout(50) },
    );
    await run;
    expect(drawn).toBe(5);
  });

  it.each(['drop-newest', 'drop-oldest'] as const)(
    'that push too fast follow %s, and count every record',
    async (overflow) => {
      const { summary, outputs } = await runToEnd([
        task(
          'S',
          [],
          sourceTask(
            () =>
              new Observable<number>((s) => {
                for (const n of range(100)) s.next(n);
                s.complete();
              }),
            { buffer: 10, overflow },
          ),
        ),
        task('T', ['S'], keep),
      ]);
      expect(outputs['T']).toEqual(overflow === 'drop-newest' ? range(10) : range(100).slice(90));
      expect([summary.tasks['S']?.in, summary.skipped]).toEqual([100, 90]);
    },
  );

  it('that push too fast fail the run by default, in words', async () => {
    const failed = runToEnd([
      task(
        'S',
        [],
        sourceTask(
          () =>
            new Observable<number>((s) => {
              for (const n of range(100)) s.next(n);
            }),
          { buffer: 10 },
        ),
      ),
      task('T', ['S'], keep),
    ]);
    await expect(failed).rejects.toMatchObject({
      code: 'MILLRACE_BUFFER_OVERFLOW',
      message:
        "'S' pushed more than 10 records ahead of its consumers. Raise `buffer`, pull instead of push, or name an overflow policy ('drop-newest', 'drop-oldest')",
    });
  });
});
