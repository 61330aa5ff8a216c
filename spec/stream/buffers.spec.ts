import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { virtualClock } from 'millrace/testing';
import { Subject, take } from 'rxjs';
import { BatchBuilder, GONE, Skip } from '#lib/model/record.js';
import { clockScheduler } from '#lib/stream/clock-scheduler.js';
import { GuardedObservable } from '#lib/stream/guarded-observable.js';
import { Outbox, type OverflowPolicy } from '#lib/stream/outbox.js';
import { readerOf } from '#lib/stream/reader.js';
import { ArrivalOrder } from '#lib/stream/arrival-order.js';

const outboxOf = (capacity: number, overflow: OverflowPolicy, onRead?: () => void): Outbox<number> =>
  new Outbox<number>({ capacity, overflow, name: 'S', ...(onRead === undefined ? {} : { onRead }) });
const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe('an outbox', () => {
  it('gives what was pushed, in order, in runs of what is asked for, then the end', async () => {
    const outbox = outboxOf(10, 'error');
    for (const n of range(5)) outbox.push(n);
    outbox.complete();
    expect([outbox.read(2), outbox.read(10), outbox.read(1)]).toEqual([[0, 1], [2, 3, 4], null]);
    expect(await outbox.read(1)).toBeNull();
  });

  it('makes a reader wait for the next push, the end, the failure or the close', async () => {
    for (const [act, expected] of [
      [
        (o: Outbox<number>) => {
          o.push(7);
        },
        [7],
      ],
      [
        (o: Outbox<number>) => {
          o.complete();
        },
        null,
      ],
      [
        (o: Outbox<number>) => {
          o.close();
        },
        null,
      ],
    ] as const) {
      const outbox = outboxOf(1, 'error');
      const read = outbox.read(1);
      act(outbox);
      expect(await read).toEqual(expected);
    }
    const outbox = outboxOf(1, 'error');
    const read = outbox.read(1);
    outbox.fail(undefined);
    await expect(read).rejects.toBeUndefined();
  });

  it('takes exactly its capacity, fails with the name at one more, and reports when there is room', () => {
    let reads = 0;
    const outbox = outboxOf(3, 'error', () => reads++);
    for (const n of range(3)) outbox.push(n);
    expect(outbox.read(1)).toEqual([0]);
    expect(reads).toBe(1);
    outbox.push(3);
    outbox.push(4);
    expect(() => outbox.read(1)).toThrow(
      expect.objectContaining({
        code: 'MILLRACE_BUFFER_OVERFLOW',
        message: expect.stringMatching(/^'S' pushed more than 3/),
      }),
    );
  });

  it.each<OverflowPolicy>(['drop-newest', 'drop-oldest'])(
    'with %s accounts for every push, over long lives',
    (policy) => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 8 }),
          fc.array(fc.nat({ max: 5 }), { maxLength: 4000 }),
          (capacity, acts) => {
            const outbox = outboxOf(capacity, policy);
            const model: number[] = [];
            let [pushed, dropped, given] = [0, 0, 0];
            for (const act of acts) {
              if (act > 0) {
                if (model.length < capacity) model.push(pushed);
                else if (policy === 'drop-oldest') {
                  model.push(pushed);
                  model.shift();
                }
                outbox.push(pushed++);
              } else if (pushed > given + dropped) {
                for (const item of outbox.read(3) as (number | Skip)[]) {
                  if (item instanceof Skip) dropped++;
                  else expect([item, given++ >= 0]).toEqual([model.shift(), true]);
                }
              }
              expect(outbox.size).toBe(model.length);
            }
            outbox.complete();
            for (let items = outbox.read(100); items !== null; items = outbox.read(100)) {
              for (const item of items as (number | Skip)[]) {
                if (item instanceof Skip) dropped++;
                else given++;
              }
            }
            expect(given + dropped).toBe(pushed);
          },
        ),
      );
    },
  );
});

describe('a reader of a generator', () => {
  it('takes no more than it is asked for, and releases it on close', () => {
    let [drawn, isReleased] = [0, false];
    function* counted(): Generator<number> {
      try {
        for (;;) yield drawn++;
      } finally {
        isReleased = true;
      }
    }
    const reader = readerOf(counted());
    expect([reader.read(3), drawn]).toEqual([[0, 1, 2], 3]);
    void reader.close();
    expect(isReleased).toBe(true);
  });
});

describe('a reorder buffer', () => {
  it('gives back the order of intake, whatever the order of finishing, `GONE` slots included', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(range(40), { minLength: 40 }), (order) => {
        const reorder = new ArrivalOrder<number>(40);
        const into = new BatchBuilder<number>();
        for (const lineage of range(40)) reorder.expect(lineage);
        for (const lineage of order) reorder.release(lineage, lineage % 7 === 0 ? GONE : lineage, into);
        const { lineages, values, gone } = into.build();
        expect(lineages).toEqual(range(40));
        expect(values).toEqual(range(40).map((n) => (n % 7 === 0 ? GONE : n)));
        expect(gone).toBe(6);
      }),
    );
  });
});

describe('the scheduler of a clock', () => {
  it('runs work at its time, again where it schedules itself, and not where it was cancelled', async () => {
    const clock = virtualClock(5000);
    const scheduler = clockScheduler(clock);
    const at: [string, number][] = [];
    scheduler.schedule(
      function (this, rounds = 0) {
        at.push(['again', clock.now()]);
        if (rounds > 1) this.schedule(rounds - 1, 100);
      },
      100,
      3,
    );
    scheduler.schedule(() => at.push(['never', clock.now()]), 150).unsubscribe();
    expect(scheduler.now()).toBe(5000);
    await clock.advance(1000);
    expect(at).toEqual([
      ['again', 5100],
      ['again', 5200],
      ['again', 5300],
    ]);
    expect(clock.pending).toBe(0);
  });
});

describe('a guarded Observable', () => {
  const guarded = (): { source$: Subject<number>; guarded$: GuardedObservable<number>; reports: unknown[] } => {
    const [source$, reports] = [new Subject<number>(), [] as unknown[]];
    const guarded$ = new GuardedObservable<number>(
      (error) => reports.push(error),
      (subscriber) =>
        source$.subscribe((n) => {
          range(n).forEach((value) => {
            subscriber.next(value);
          });
        }),
    );
    return { source$, guarded$, reports };
  };

  it('gives nothing more to who unsubscribes in the middle of a batch', () => {
    const { source$, guarded$ } = guarded();
    const seen: number[] = [];
    const subscription = guarded$.subscribe((value) => {
      seen.push(value);
      if (seen.length === 3) subscription.unsubscribe();
    });
    source$.next(10);
    expect([seen, source$.observed]).toEqual([[0, 1, 2], false]);
  });

  it('stops its source when an operator has enough', () => {
    const { source$, guarded$ } = guarded();
    const seen: number[] = [];
    guarded$.pipe(take(2)).subscribe((value) => seen.push(value));
    source$.next(10);
    expect([seen, source$.observed]).toEqual([[0, 1], false]);
  });

  it('reports what a handler throws, also `undefined`, and goes on', () => {
    const { source$, guarded$, reports } = guarded();
    guarded$.subscribe((value) => {
      throw value === 0 ? undefined : value;
    });
    source$.next(3);
    expect(reports).toEqual([undefined, 1, 2]);
  });

  it('reports an error that nobody handles, once', () => {
    const reports: unknown[] = [];
    const failing$ = new GuardedObservable<number>(
      (error) => reports.push(error),
      (subscriber) => {
        subscriber.error('broken');
        subscriber.error('again');
      },
    );
    failing$.subscribe();
    failing$.subscribe({ error: () => undefined });
    expect(reports).toEqual(['broken']);
  });
});
