/** The bridge by itself, over plain Observables and iterables. */
import { describe, expect, it } from '@jest/globals';
import {
  EMPTY,
  Observable,
  Subject,
  concat,
  firstValueFrom,
  from,
  lastValueFrom,
  range,
  take,
  throwError,
  toArray,
} from 'rxjs';
import { MillraceError } from '#lib/model/errors.js';
import { workerOperator } from '#lib/workers/worker-operator.js';
import * as numbers from './modules/numbers.js';
import * as poison from './modules/poison.js';

const NUMBERS = Array.from({ length: 5000 }, (_, n) => n);

function workersLeft(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.includes('Worker') || name === 'MessagePort');
}

describe.each([0, 2])('workerOperator with threads: %i', (threads) => {
  it('is an operator: values in, values out, in order', async () => {
    const doubled$ = range(0, 5000).pipe(workerOperator(numbers.double, { threads }), toArray());
    expect(await lastValueFrom(doubled$)).toEqual(NUMBERS.map((n) => n * 2));
    expect(workersLeft()).toEqual([]);
  });

  it('emits as threads finish where order does not matter', async () => {
    const operator = workerOperator(numbers.double, { threads, ordered: false });
    const doubled = await lastValueFrom(from(NUMBERS).pipe(operator, toArray()));
    expect(doubled.sort((a, b) => a - b)).toEqual(NUMBERS.map((n) => n * 2));
  });

  it('takes a module and the name of an export', async () => {
    const module = new URL('./modules/numbers.js', import.meta.url);
    const operator = workerOperator<number, number>({ module, export: 'double' }, { threads });
    expect(await lastValueFrom(operator([4]))).toBe(8);
  });

  it('completes when its source is empty', async () => {
    expect(await lastValueFrom(EMPTY.pipe(workerOperator(numbers.double, { threads }), toArray()))).toEqual([]);
    expect(await lastValueFrom(workerOperator(numbers.double, { threads })([]).pipe(toArray()))).toEqual([]);
  });

  it('pulls an iterable no further than its window', async () => {
    let pulled = 0;
    let emitted = 0;
    let furthest = 0;
    function* endless(): Generator<number> {
      for (;;) {
        furthest = Math.max(furthest, pulled - emitted);
        yield pulled++;
      }
    }
    const operator = workerOperator(numbers.double, { threads, window: 50 });
    await new Promise<void>((resolve) => {
      const subscription = operator(endless()).subscribe(() => {
        emitted++;
        if (emitted < 1000) return;
        subscription.unsubscribe();
        resolve();
      });
    });
    // One more: a generator runs up to its next `yield` to know whether it has another.
    expect(furthest).toBeLessThanOrEqual(51);
  });

  it('pulls an async iterable', async () => {
    async function* some(): AsyncGenerator<number> {
      for (const n of NUMBERS.slice(0, 300)) yield await Promise.resolve(n);
    }
    const doubled = await lastValueFrom(workerOperator(numbers.double, { threads })(some()).pipe(toArray()));
    expect(doubled).toEqual(NUMBERS.slice(0, 300).map((n) => n * 2));
  });

  it('has a bounded buffer in front of an Observable, and a policy', async () => {
    const options = { threads, buffer: 100, window: 10 };
    const overflowing = lastValueFrom(range(0, 5000).pipe(workerOperator(numbers.double, options)));
    await expect(overflowing).rejects.toMatchObject({ code: 'MILLRACE_BUFFER_OVERFLOW' });
    const newest = workerOperator(numbers.double, { ...options, overflow: 'drop-oldest' });
    expect(await lastValueFrom(range(0, 5000).pipe(newest))).toBe(9998);
    const oldest = workerOperator(numbers.double, { ...options, overflow: 'drop-newest' });
    expect(await lastValueFrom(range(0, 5000).pipe(oldest))).toBe(198);
  });

  it('errors with what was thrown, as its own class, after its threads ended', async () => {
    const failing = lastValueFrom(from(NUMBERS).pipe(workerOperator(numbers.throwOn, { threads })));
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).cause).toBeInstanceOf(TypeError);
    expect(workersLeft()).toEqual([]);
  });

  it('makes an error of `throw undefined`', async () => {
    const failing = lastValueFrom(from([13]).pipe(workerOperator(numbers.throwUndefinedOn, { threads })));
    await expect(failing).rejects.toBeInstanceOf(MillraceError);
  });

  it('hands failures over and goes on where it is asked to', async () => {
    const failed: unknown[] = [];
    const onFailure = (_: unknown, record: number): number => failed.push(record);
    const operator = workerOperator(numbers.throwOn, { threads, onFailure });
    expect(await lastValueFrom(from([12, 13, 14]).pipe(operator, toArray()))).toEqual([12, 14]);
    expect(failed).toEqual([13]);
  });

  it('leaves out what is skipped', async () => {
    const operator = workerOperator(numbers.skipOdd, { threads });
    expect(await lastValueFrom(from([1, 2, 3, 4]).pipe(operator, toArray()))).toEqual([2, 4]);
  });

  it('passes the error of its source on', async () => {
    const source$ = concat(
      from([1]),
      throwError(() => new SyntaxError('source')),
    );
    await expect(lastValueFrom(source$.pipe(workerOperator(numbers.double, { threads })))).rejects.toThrow(SyntaxError);
    function* failing(): Generator<number> {
      yield 1;
      throw new SyntaxError('pulled');
    }
    await expect(lastValueFrom(workerOperator(numbers.double, { threads })(failing()))).rejects.toThrow('pulled');
  });

  it('errors where the export is not there', async () => {
    const module = new URL('./modules/numbers.js', import.meta.url);
    const operator = workerOperator<number, number>({ module, export: 'nothing' }, { threads });
    await expect(lastValueFrom(operator([1]))).rejects.toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
  });

  it('unsubscribes from its source with its own subscriber', async () => {
    const source$ = new Subject<number>();
    const first = firstValueFrom(source$.pipe(workerOperator(numbers.double, { threads }), take(1)));
    source$.next(1);
    expect(await first).toBe(2);
    expect(source$.observed).toBe(false);
  });

  it('starts anew for every subscriber', async () => {
    const doubled$ = from([1, 2]).pipe(workerOperator(numbers.double, { threads }), toArray());
    expect(await Promise.all([lastValueFrom(doubled$), lastValueFrom(doubled$)])).toEqual([
      [2, 4],
      [2, 4],
    ]);
  });
});

it('stops a busy thread when it is unsubscribed from', async () => {
  let emitted = 0;
  const operator = workerOperator(numbers.spinOn, { threads: 1, window: 2 });
  const released = new Promise<void>((resolve) => {
    const input$ = new Observable<number>((subscriber) => {
      subscriber.next(1);
      return resolve;
    });
    const subscription = concat(from([1]), input$)
      .pipe(operator)
      .subscribe(() => {
        emitted++;
        subscription.unsubscribe();
      });
  });
  await released;
  expect(emitted).toBe(1);
});

it('survives poison and times', async () => {
  const failed: unknown[] = [];
  const onFailure = (error: unknown): number => failed.push((error as MillraceError).code);
  const exits = workerOperator(poison.exitWithThreeOn, { threads: 2, onFailure });
  expect(await lastValueFrom(exits([12, 13, 14]).pipe(toArray()))).toEqual([12, 14]);
  const spins = workerOperator(numbers.spinOn, { threads: 2, onFailure, timeoutMs: 300 });
  expect(await lastValueFrom(spins([12, 13, 14]).pipe(toArray()))).toEqual([12, 14]);
  expect(failed).toEqual(['MILLRACE_THREAD', 'MILLRACE_TIMEOUT']);
});

it('refuses options that make no sense', () => {
  expect(() => workerOperator(numbers.double, { threads: -1 })).toThrow('threads');
  expect(() => workerOperator(numbers.double, { window: 0 })).toThrow('window');
  expect(() => workerOperator(((n: number) => n) as never)).toThrow('threadFunction');
});
