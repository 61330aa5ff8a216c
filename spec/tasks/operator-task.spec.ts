/**
 * Any RxJS operator as a task: the same outputs as in plain RxJS, no record lost, and no more read than the operator
 * can use.
 */
import { describe, expect, it } from '@jest/globals';
import {
  expandTask,
  operatorTask,
  sinkTask,
  sourceTask,
  defineWorkflow,
  type RecordOperator,
  type Run,
  type RunOptions,
} from 'millrace';
import { virtualClock } from 'millrace/testing';
import {
  EMPTY,
  NEVER,
  Observable,
  asapScheduler,
  asyncScheduler,
  audit,
  bufferCount,
  bufferTime,
  bufferWhen,
  catchError,
  concat,
  concatMap,
  connect,
  debounce,
  defer,
  delay,
  delayWhen,
  distinctUntilChanged,
  endWith,
  exhaustMap,
  expand,
  filter,
  from,
  groupBy,
  interval,
  lastValueFrom,
  map,
  merge,
  mergeMap,
  mergeScan,
  observeOn,
  of,
  pairwise,
  reduce,
  retry,
  scan,
  share,
  skip,
  startWith,
  subscribeOn,
  switchMap,
  take,
  takeLast,
  takeUntil,
  tap,
  throttleTime,
  throwError,
  timer,
  toArray,
  window,
  windowCount,
  withLatestFrom,
  zip,
} from 'rxjs';
import { runToEnd, task } from '../support/run-to-end.js';

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);
const later = <T>(value: T, ms = 1): Observable<T> => timer(ms).pipe(map(() => value));

/** The outputs of an operator in a run. */
async function inRun(operator: RecordOperator<number, unknown>, records: number[], size?: number): Promise<unknown[]> {
  const { outputs } = await runToEnd(
    [task('S', [], sourceTask(records)), task('O', ['S'], operatorTask(operator))],
    size === undefined ? {} : { window: size },
  );
  return outputs['O'] as unknown[];
}

/** The outputs of an operator in plain RxJS. */
const inRxJS = (operator: RecordOperator<number, unknown>, records: number[]): Promise<unknown[]> =>
  lastValueFrom(operator(from(records), undefined as never).pipe(toArray()));

describe('gives what plain RxJS gives:', () => {
  const operators: Record<string, RecordOperator<number, unknown>> = {
    'map, filter and scan': (n$) =>
      n$.pipe(
        map((n) => n * 2),
        filter((n) => n % 3 === 0),
        scan((sum, n) => sum + n, 0),
      ),
    'bufferCount, pairwise and startWith': (n$) => n$.pipe(startWith(-1), pairwise(), bufferCount(3, 2)),
    'reduce, endWith and takeLast': (n$) =>
      n$.pipe(
        takeLast(5),
        endWith(7),
        reduce((sum, n) => sum + n, 0),
      ),
    distinctUntilChanged: (n$) => n$.pipe(distinctUntilChanged((a, b) => a >> 2 === b >> 2)),
    'mergeMap of values, and of promises': (n$) =>
      n$.pipe(
        mergeMap((n) => [n, n]),
        concatMap((n) => Promise.resolve(n)),
      ),
    'mergeMap with a limit': (n$) => n$.pipe(mergeMap((n) => later(n), 1)),
    'concatMap behind concatMap': (n$) =>
      n$.pipe(
        concatMap((n) => later(n, 0)),
        concatMap((n) => later(n, 0)),
      ),
    'a filter in front of concatMap': (n$) =>
      n$.pipe(
        filter((n) => n % 7 === 0),
        concatMap((n) => (n % 2 === 0 ? EMPTY : later(n))),
      ),
    mergeScan: (n$) => n$.pipe(mergeScan((sum, n) => of(sum + n), 0)),
    expand: (n$) => n$.pipe(expand((n) => (n < 200 ? of(n + 150) : EMPTY))),
    'delay, observeOn and delayWhen': (n$) =>
      n$.pipe(
        delay(2),
        observeOn(asapScheduler),
        delayWhen(() => Promise.resolve()),
      ),
    'switchMap of values': (n$) => n$.pipe(switchMap((n) => of(n, n + 1))),
    'groups that are flattened inside': (n$) =>
      n$.pipe(
        groupBy((n) => n % 3),
        mergeMap((group$) => group$.pipe(toArray())),
      ),
    'windows that are flattened inside': (n$) =>
      n$.pipe(
        windowCount(4),
        mergeMap((window$) => window$.pipe(toArray())),
      ),
    'bufferWhen and bufferTime that never end in time': (n$) =>
      n$.pipe(
        bufferWhen(() => NEVER),
        bufferTime(60_000),
      ),
    'takeWhile and catchError': (n$) =>
      n$.pipe(
        mergeMap((n) => (n === 40 ? throwError(() => new Error('forty')) : of(n))),
        catchError(() => of(-1)),
      ),
    'withLatestFrom and takeUntil of something that never ends': (n$) =>
      n$.pipe(withLatestFrom(concat(of(1), NEVER)), takeUntil(NEVER)),
    connect: (n$) => n$.pipe(connect((shared$) => zip(shared$, shared$.pipe(skip(1))))),
    // These subscribe to their input later.
    'concat after a promise': (n$) => concat(from(Promise.resolve('header')), n$),
    'a switchMap onto the input': (n$) => timer(5).pipe(switchMap(() => n$)),
    'two branches that subscribe later': (n$) =>
      timer(5).pipe(switchMap(() => n$.pipe(connect((one$) => zip(one$, one$.pipe(map((n) => n * 2))))))),
    subscribeOn: (n$) => n$.pipe(subscribeOn(asyncScheduler, 5)),
    'a subscription delay': (n$) => timer(5).pipe(concatMap(() => n$)),
    defer: (n$) =>
      concat(
        later('first', 5),
        defer(() => n$),
      ),
    'an input that is never subscribed to': () => of('a', 'b'),
  };
  it.each(Object.entries(operators))('%s', async (_, operator) => {
    const records = range(100);
    const expected = await inRxJS(operator, records);
    expect(await inRun(operator, records)).toEqual(expected);
    expect(await inRun(operator, records, 4)).toEqual(expected);
    expect(await inRun(operator, [])).toEqual(await inRxJS(operator, []));
  });
});

it('an input that is subscribed to twice goes to both, record by record', async () => {
  const odd = filter((n: number) => n % 2 === 1);
  const even = filter((n: number) => n % 2 === 0);
  expect(await inRun((n$) => merge(n$.pipe(even), n$.pipe(odd)), range(100))).toEqual(range(100));
  const shared: RecordOperator<number, number> = (n$) => {
    const shared$ = n$.pipe(share());
    return merge(shared$.pipe(even), shared$.pipe(odd));
  };
  expect(await inRun(shared, range(100), 4)).toEqual(range(100));
});

describe('an operator that leaves its input', () => {
  it('and subscribes again later, goes on with the next record', async () => {
    const seen: number[] = [];
    const operator: RecordOperator<number, number> = (n$) =>
      n$.pipe(
        tap((n) => {
          seen.push(n);
          if (n % 10 === 9) throw new Error('once more');
        }),
        retry({ delay: 2 }),
      );
    const outputs = await inRun(operator, range(25), 4);
    expect(seen).toEqual(range(25));
    expect(outputs).toEqual(range(25).filter((n) => n % 10 !== 9));
  });

  it('in turn, at once', async () => {
    expect(await inRun((n$) => concat(n$.pipe(take(3)), of('then'), n$), range(5))).toEqual([0, 1, 2, 'then', 3, 4]);
  });

  it('and is not complete, takes no more records until it is, and then the rest are skipped', async () => {
    let read = 0;
    function* rows(): Generator<number> {
      for (let n = 0; n < 1000; n++) {
        read++;
        yield n;
      }
    }
    let readAtOutput = 0;
    const { outputs, summary } = await runToEnd(
      [
        task(
          'S',
          [],
          sourceTask(() => rows()),
        ),
        task(
          'O',
          ['S'],
          operatorTask<number, number>((n$) =>
            n$.pipe(
              take(2),
              delay(20),
              tap(() => (readAtOutput ||= read)),
            ),
          ),
        ),
      ],
      { window: 8 },
    );
    expect(outputs['O']).toEqual([0, 1]);
    expect(readAtOutput).toBeLessThanOrEqual(16);
    expect(summary.tasks['O']).toMatchObject({ out: 2 });
    expect((summary.tasks['O']?.in ?? 0) - (summary.tasks['O']?.skipped ?? 0)).toBe(2);
  });

  it('and neither completes nor returns is named in a notice', async () => {
    const clock = virtualClock();
    const { run, notices } = start((n$) => merge(n$.pipe(take(1)), NEVER), 1e9, { clock, window: 16 });
    await clock.advance(31_000);
    expect(notices.join()).toContain("The operator of 'O' has not been subscribed to its input for 30 s");
    run.drain();
    const summary = await clock.runUntil(run.finished);
    expect(summary).toMatchObject({ outcome: 'drained', tasks: { O: { out: 1 } } });
  });
});

describe('an operator that waits for inner subscriptions', () => {
  it.each<[string, RecordOperator<number, number>]>([
    ['concatMap', concatMap((n) => later(n, 20))],
    ['mergeMap with a limit', mergeMap((n) => later(n, 20), 10)],
    ['mergeMap without a limit', mergeMap((n) => later(n, 20))],
    ['delay', delay(20)],
    [
      'concatMap of promises behind others',
      (n$) =>
        n$.pipe(
          map((n) => n + 1),
          mergeMap((n) => later(n, 1), 5),
          concatMap((n) => later(n, 20)),
        ),
    ],
  ])('reads no more than it can hold: %s', async (_, operator) => {
    const { run, read } = start(operator, 500_000, { window: 16 }, 100);
    const readAtFirst = await read;
    run.cancel();
    await run.finished;
    expect(readAtFirst).toBeLessThan(1000);
  });

  it.each<[string, RecordOperator<number, unknown>]>([
    ['throttleTime', throttleTime(20)],
    ['throttleTime with trailing values', throttleTime(20, undefined, { leading: false, trailing: true })],
    ['audit', audit(() => timer(20))],
    ['exhaustMap', exhaustMap((n) => later(n, 20))],
    ['switchMap', switchMap((n) => later(n, 20))],
    ['debounce', debounce(() => timer(20))],
    [
      'a rare filter beside a timer',
      (n$) => merge(n$.pipe(filter((n) => n % 10_000 === 0)), NEVER.pipe(takeUntil(timer(1)))),
    ],
    [
      'a rare filter in front of calls',
      (n$) =>
        n$.pipe(
          filter((n) => n % 10_000 === 0),
          mergeMap((n) => later(n, 20), 2),
        ),
    ],
    [
      'takeUntil in front of a rare filter',
      (n$) =>
        n$.pipe(
          takeUntil(timer(60_000)),
          filter((n) => n % 10_000 === 0),
        ),
    ],
  ])('is not held back where it drops records: %s', async (_, operator) => {
    const { run } = start(operator, 30_000, { window: 16 }, 100);
    // Counts waits rather than time, which also passes while other programs have the processor.
    let waits = 0;
    const waiting = setInterval(() => (waits += 1), 20);
    await run.finished;
    clearInterval(waiting);
    // 30,000 records in portions of 116, each 20 ms after the other, would be 258 waits.
    expect(waits).toBeLessThan(200);
  });

  it('that never end is no longer held back after a while, and a notice says so', async () => {
    const clock = virtualClock();
    const { run, notices } = start(
      exhaustMap(() => NEVER),
      1000,
      { clock, window: 16 },
      100,
    );
    await clock.advance(31_000);
    expect(notices.join()).toContain("The operator of 'O' holds 116 records and inner subscriptions");
    run.cancel();
    const summary = await clock.runUntil(run.finished);
    expect(summary.tasks['O']?.in).toBe(1000);
  });
});

describe('what came before an error', () => {
  it('of an operator, in the same turn, comes through', async () => {
    const { outputs, code } = await failing((n$) => n$.pipe(tap((n) => n === 3 && fail())));
    expect(outputs).toEqual([0, 1, 2]);
    expect(code).toBe('MILLRACE_TASK');
  });

  it('of a generator comes through, whatever the window', async () => {
    for (const size of [1, 2, 64]) {
      const outputs: number[] = [];
      const rows = sourceTask(function* () {
        yield 1;
        yield 2;
        yield 3;
        throw new Error('here');
      });
      const run = defineWorkflow({
        name: 'F',
        build: (flow) =>
          flow.task('S', rows).task(
            'K',
            ['S'],
            sinkTask(() => undefined),
          ),
      }).run(undefined, { window: size });
      run.output$('S').subscribe({ next: (n) => outputs.push(n), error: () => undefined });
      await expect(run.finished).rejects.toThrow('here');
      expect(outputs).toEqual([1, 2, 3]);
    }
  });

  it('of the generator of an expansion comes through', async () => {
    const children = expandTask(function* (n: number) {
      yield n;
      yield n + 1;
      throw new Error('midway');
    });
    const { outputs, summary } = await runToEnd([task('S', [], sourceTask([10, 20])), task('E', ['S'], children)]);
    expect(outputs['E']).toEqual([10, 11, 20, 21]);
    expect(summary.deadLettered).toBe(2);
  });
});

it.each<[string, RecordOperator<number, unknown>]>([
  ['groups', groupBy((n) => n % 2)],
  ['windows', window(interval(10))],
])('refuses %s as records, and says where to flatten them', async (_, operator) => {
  const { code, message } = await failing(operator);
  expect(code).toBe('MILLRACE_INVALID_OUTPUT');
  expect(message).toContain('flatten them in the same operatorTask');
});

it('refuses what is no Observable, and names a function that throws', async () => {
  expect(await failing((() => [1]) as never)).toMatchObject({ code: 'MILLRACE_INVALID_OPTION' });
  expect(await failing(fail)).toMatchObject({ message: "The operator of 'O' failed: once" });
});

it('refuses a failure policy that could never apply', () => {
  const schema = {
    '~standard': { version: 1, vendor: 'spec', validate: (value: unknown) => ({ value: value as number }) },
  } as const;
  const double = map((n: number) => 2 * n);
  expect(() => operatorTask(double, { onFailure: 'skip' })).toThrow('Expected no `onFailure`');
  expect(() => operatorTask(double, { onFailure: { fallback: 1 } })).toThrow('Expected no `onFailure`');
  expect(() => operatorTask(double, { onFailure: 'skip', input: schema })).not.toThrow();
  expect(() => operatorTask(double, { onFailure: { fallback: 1 }, output: schema })).not.toThrow();
});

function fail(): never {
  throw new Error('once');
}

async function failing(
  operator: RecordOperator<number, unknown>,
): Promise<{ outputs: unknown[]; code: unknown; message: string }> {
  const outputs: unknown[] = [];
  const run = defineWorkflow({
    name: 'F',
    build: (flow) => flow.task('S', sourceTask(range(10))).task('O', ['S'], operatorTask(operator)),
  }).run();
  run.output$('O').subscribe({ next: (value) => outputs.push(value), error: () => undefined });
  const error = (await run.finished.then(
    () => ({}),
    (thrown: unknown) => thrown,
  )) as { code: unknown; message: string };
  return { outputs, code: error.code, message: error.message };
}

/** Starts a run; `read` resolves at the first output with the number of records that were read until then. */
function start(
  operator: RecordOperator<number, unknown>,
  count: number,
  options: RunOptions,
  buffer?: number,
): { run: Pick<Run, 'cancel' | 'drain' | 'finished'>; read: Promise<number>; notices: string[] } {
  let records = 0;
  function* rows(): Generator<number> {
    for (let n = 0; n < count; n++) {
      records++;
      yield n;
    }
  }
  let first: (read: number) => void = () => undefined;
  const read = new Promise<number>((resolve) => {
    first = resolve;
  });
  const notices: string[] = [];
  const run = defineWorkflow({
    name: 'M',
    build: (flow) =>
      flow
        .task(
          'S',
          sourceTask(() => rows()),
        )
        .task('O', ['S'], operatorTask(operator, buffer === undefined ? {} : { buffer }))
        .task(
          'K',
          ['O'],
          sinkTask(() => {
            first(records);
          }),
        ),
  }).run(undefined, options);
  run.events$.subscribe((event) => {
    if (event.type === 'notice') notices.push(event.message);
  });
  return { run, read, notices };
}
