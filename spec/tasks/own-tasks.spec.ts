import { describe, expect, it } from '@jest/globals';
import { BaseTask, operatorTask, RecordTask, sourceTask, stream, syncTask, type Task } from 'millrace';
import { virtualClock } from 'millrace/testing';
import { Observable, take, type OperatorFunction } from 'rxjs';
import { Batch, GONE as OWN_GONE, Skip } from '#lib/model/record.js';
import { runToEnd, task } from '../support/run-to-end.js';

class Double extends RecordTask<number, number> {
  protected override process(n: number): number {
    return 2 * n;
  }
}

/** The address of a second instance of a module of the package. */
const copyOf = (module: string): string => `${import.meta.resolve(`#lib/${module}`)}?copy`;

/** Has the members of a task, and none of its classes: as a task of another copy of the package does. */
function fromAnotherCopy(own: Task<number, number>): Task<number, number> {
  const copy = Object.create(null) as Record<PropertyKey, unknown>;
  for (let from: object = own; from !== Object.prototype; from = Object.getPrototypeOf(from) as object) {
    for (const key of Reflect.ownKeys(from)) {
      if (key in copy) continue;
      const value: unknown = Reflect.get(own, key);
      copy[key] = typeof value === 'function' ? (value as () => unknown).bind(own) : value;
    }
  }
  return copy as unknown as Task<number, number>;
}

describe('a task of your own', () => {
  it('may come from another copy of the package', async () => {
    const foreign = fromAnotherCopy(new Double());
    expect(foreign).not.toBeInstanceOf(BaseTask);
    const { outputs } = await runToEnd([task('S', [], sourceTask([1, 2])), task('Double', ['S'], foreign)]);
    expect(outputs['Double']).toEqual([2, 4]);
    expect(() => stream(sourceTask([1])).through(foreign)).not.toThrow();
  });

  it('may end records by the `GONE` of another copy of the package', async () => {
    const { skip, GONE } = (await import(copyOf('model/record.js'))) as typeof import('#lib/model/record.js');
    const { FatalTaskError } = (await import(copyOf('model/errors.js'))) as typeof import('#lib/model/errors.js');
    expect(Object.getPrototypeOf(skip('odd'))).not.toBe(Skip.prototype);
    const skips = syncTask((n: number) => (n === 1 ? skip('one') : n));
    const { outputs, summary } = await runToEnd([
      task('S', [], sourceTask([1, 2, 3])),
      task('Skips', ['S'], skips),
      task('Double', ['Skips'], new Double()),
    ]);
    expect(outputs['Double']).toEqual([4, 6]);
    expect(summary.tasks['Skips']?.skipped).toBe(1);
    expect(GONE).toBe(OWN_GONE);
    const fails = syncTask((n: number): number => {
      throw new FatalTaskError('MILLRACE_CONFIG', `wrong from ${n} on`);
    });
    await expect(runToEnd([task('S', [], sourceTask([1, 2])), task('T', ['S'], fails)])).rejects.toMatchObject({
      message: 'wrong from 1 on',
    });
  });

  it.each([
    ['ends with the last task that needs it, also if its kind is named `sink`', false, 3],
    ['gets each record if it writes, also when no task downstream needs more', true, 100],
  ])('%s', async (_, writes, atLeast) => {
    class Named extends RecordTask<number, number> {
      override readonly kind = 'sink';
      override readonly writes = writes;
      seen = 0;
      protected override process(n: number): number {
        this.seen++;
        return n;
      }
    }
    const named = new Named();
    const { outputs } = await runToEnd(
      [
        task('S', [], sourceTask(Array.from({ length: 100 }, (_one, n) => n))),
        task('Named', ['S'], named),
        task('First', ['Named'], operatorTask(take(3))),
      ],
      { window: 8 },
    );
    expect(outputs['First']).toEqual([0, 1, 2]);
    expect(named.seen).toBeGreaterThanOrEqual(atLeast);
    expect(named.seen === 100).toBe(writes);
  });

  it('may have an operator over batches instead of a `process`', async () => {
    class Negate extends BaseTask<number, number> {
      override operator(
        scope: Parameters<Task<number, number>['operator']>[0],
      ): OperatorFunction<Batch<number>, Batch<number>> {
        return (input$) =>
          new Observable((subscriber) =>
            input$.subscribe({
              next: ({ lineages, values, gone }) => {
                scope.account.in += lineages.length;
                scope.account.out += lineages.length;
                subscriber.next(
                  new Batch(
                    lineages,
                    values.map((value) => -(value as number)),
                    gone,
                  ),
                );
              },
              complete: () => {
                subscriber.complete();
              },
            }),
          );
      }
    }
    const { outputs } = await runToEnd([task('S', [], sourceTask([1, 2])), task('Negate', ['S'], new Negate())]);
    expect(outputs['Negate']).toEqual([-1, -2]);
  });

  it('is not treated as another kind of task because of its `kind`', async () => {
    /** Holds back its first record. */
    class Holds extends BaseTask<number, number> {
      override readonly kind = 'operator';
      override operator(): OperatorFunction<Batch<number>, Batch<number>> {
        return () => new Observable();
      }
    }
    const clock = virtualClock();
    const run = runToEnd([task('S', [], sourceTask([1])), task('Holds', ['S'], new Holds())], { clock });
    const error: unknown = await clock.runUntil(run).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'MILLRACE_STALLED' });
  });

  it('that only looks like one is refused', async () => {
    const alike = { kind: 'sync', operator: () => undefined } as unknown as Task<never, unknown>;
    await expect(async () => runToEnd([task('S', [], sourceTask([1])), task('T', ['S'], alike)])).rejects.toMatchObject(
      {
        code: 'MILLRACE_INVALID_OPTION',
        message: expect.stringContaining("Expected 'T' to be a task"),
      },
    );
  });
});
