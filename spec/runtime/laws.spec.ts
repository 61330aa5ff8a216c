import { describe, expect, it } from '@jest/globals';
import { operatorTask, sourceTask, syncTask, RecordTask } from 'millrace';
import { virtualClock } from 'millrace/testing';
import { map, Observable, take, tap, type OperatorFunction } from 'rxjs';
import { Batch } from '#lib/model/record.js';
import type { TaskScope } from '#lib/stream/task-scope.js';
import { runToEnd, task } from '../support/run-to-end.js';

const keep = syncTask<unknown, unknown>((value) => value);
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('the laws', () => {
  /** A task that is wrong on purpose. */
  class Wrong extends RecordTask<number, number> {
    constructor(private readonly spoil: (batch: Batch<number>) => Batch<number>) {
      super();
    }
    protected override process(n: number): number {
      return n;
    }
    override operator(scope: TaskScope): OperatorFunction<Batch<number>, Batch<number>> {
      return (input$) =>
        input$.pipe(
          map((batch) => {
            const out = this.spoil(batch);
            scope.account.in += batch.length;
            scope.account.out += batch.length;
            return out;
          }),
        );
    }
  }
  const without = (batch: Batch<number>, lineage: number): Batch<number> => {
    const kept = batch.lineages
      .map((own, index) => [own, batch.values[index]] as const)
      .filter(([own]) => own !== lineage);
    return new Batch(
      kept.map(([own]) => own),
      kept.map(([, value]) => value as number),
      0,
    );
  };

  it.each<[string, (batch: Batch<number>) => Batch<number>, RegExp]>([
    ['loses a record', (batch) => without(batch, 5), /The run is over while 1 records of 'S' are in flight/],
    [
      'doubles a record',
      (batch) => new Batch([...batch.lineages, batch.lineages[0] as number], [...batch.values, 0], 0),
      /left by 'Wrong' twice, or was never born/,
    ],
    [
      'invents a record',
      (batch) => new Batch([...batch.lineages, 999], [...batch.values, 0], 0),
      /lineage 999 left by 'Wrong' twice, or was never born/,
    ],
  ])('stop a run whose task %s', async (_, spoil, message) => {
    const failed = runToEnd([task('S', [], sourceTask(range(10))), task('Wrong', ['S'], new Wrong(spoil))]);
    await expect(failed).rejects.toMatchObject({
      code: 'MILLRACE_CONSERVATION',
      message: expect.stringMatching(message),
    });
  });

  it('stop a run whose join gets a record twice', async () => {
    const failed = runToEnd([
      task('S', [], sourceTask(range(10))),
      task(
        'Wrong',
        ['S'],
        new Wrong((batch) => new Batch([...batch.lineages, batch.lineages[0] as number], [...batch.values, 0], 0)),
      ),
      task('Join', ['S', 'Wrong'], keep),
    ]);
    await expect(failed).rejects.toMatchObject({ code: 'MILLRACE_CONSERVATION' });
  });

  it.each([
    ['may have more to give', 5000],
    ['is endless', undefined],
  ])('stop a run that says it is over while a source %s', async (_, count) => {
    class First extends RecordTask<number, number> {
      protected override process(n: number): number {
        return n;
      }
      override operator(scope: TaskScope): OperatorFunction<Batch<number>, Batch<number>> {
        return (batches$) =>
          batches$.pipe(
            tap((batch) => {
              scope.account.in += batch.length;
              scope.account.out += batch.length;
            }),
            take(1),
          );
      }
    }
    let read = 0;
    const numbers = function* (): Generator<number> {
      while (read !== count) yield read++;
    };
    const declared = [
      task('S', [], sourceTask(numbers)),
      task('First', ['S'], new First()),
      task('K', ['First'], keep),
    ];
    await expect(runToEnd(declared)).rejects.toMatchObject({
      code: 'MILLRACE_CONSERVATION',
      message: expect.stringContaining("'S' may have more to give: 'First' completed before its input did"),
    });
    expect(read).toBeLessThan(1000);
  });

  it('let an operatorTask end before its source, which learns it', async () => {
    const declared = [
      task('S', [], sourceTask(range(5000))),
      task('First', ['S'], operatorTask(take(1))),
      task('K', ['First'], keep),
    ];
    const { summary, outputs } = await runToEnd(declared);
    expect([summary.outcome, outputs['K']]).toEqual(['completed', [0]]);
  });

  it('report a stall with the task and what it waits for, and fail a run that cannot go on', async () => {
    class Holds extends RecordTask<number, number> {
      protected override process(n: number): number {
        return n;
      }
      override operator(scope: TaskScope): OperatorFunction<Batch<number>, Batch<number>> {
        scope.account.watch(() => ({ queued: 0, running: 0, waiting: 1 }));
        return (input$) =>
          new Observable((subscriber) =>
            input$.subscribe((batch) => {
              scope.account.in += batch.length;
              scope.account.out += batch.lineages.includes(3) ? batch.length - 1 : batch.length;
              subscriber.next(without(batch, 3));
            }),
          );
      }
    }
    const clock = virtualClock();
    const ended = runToEnd(
      [task('S', [], sourceTask(range(6))), task('Holds', ['S'], new Holds()), task('Join', ['S', 'Holds'], keep)],
      { clock },
    );
    const error: unknown = await clock.runUntil(ended).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'MILLRACE_STALLED',
      message: expect.stringContaining("'Join' waits for 'Holds' with record 3"),
    });
  });
});
