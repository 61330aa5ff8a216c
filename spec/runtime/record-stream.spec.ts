import { describe, expect, it } from '@jest/globals';
import { asyncTask, combine, sourceTask, stream, syncTask } from 'millrace';
import { firstValueFrom, lastValueFrom, map, take, toArray } from 'rxjs';

describe('a composition of tasks as Observables', () => {
  it('pairs by lineage, and runs a shared stream once', async () => {
    let calls = 0;
    const numbers$ = stream(sourceTask(() => [1, 2, 3, 4]));
    const shared$ = numbers$.through(syncTask((n: number) => (calls++, n * 10)));
    const slow$ = shared$.through(asyncTask((n: number) => new Promise<number>((r) => setTimeout(r, 5 - n / 10, n))));
    const pairs = await lastValueFrom(combine([shared$, slow$]).pipe(toArray()));
    expect([...pairs].sort()).toEqual([10, 20, 30, 40].map((n) => [n, n]));
    expect(calls).toBe(4);
  });

  it('is cold: every subscription is a run of its own', async () => {
    const plus$ = stream(sourceTask(() => [1, 2])).through(syncTask((n: number) => n + 1));
    expect(await lastValueFrom(plus$.pipe(toArray()))).toEqual([2, 3]);
    expect(await lastValueFrom(plus$.pipe(toArray()))).toEqual([2, 3]);
  });

  it('cancels its run when it is unsubscribed', async () => {
    let isReleased = false;
    function* endless(): Generator<number> {
      try {
        for (let n = 0; ; n++) yield n;
      } finally {
        isReleased = true;
      }
    }
    const values = await lastValueFrom(stream(sourceTask(() => endless())).pipe(take(3), toArray()));
    expect(values).toEqual([0, 1, 2]);
    // On a busy machine the source is released some turns later.
    const hasEnded = (): boolean => isReleased;
    while (!hasEnded()) await new Promise((resolve) => setImmediate(resolve));
    expect(isReleased).toBe(true);
  });

  it('errors when its run fails, and composes with any operator', async () => {
    const failing$ = stream(sourceTask([1])).through(
      syncTask(
        (): number => {
          throw new Error('no');
        },
        { onFailure: 'fail' },
      ),
      'Fails',
    );
    await expect(firstValueFrom(failing$)).rejects.toThrow("Task 'Fails' failed on record 0 of 'source': no");
    const doubled$ = stream(sourceTask([1, 2])).pipe(
      map((n) => n * 2),
      toArray(),
    );
    expect(await lastValueFrom(doubled$)).toEqual([2, 4]);
  });
});
