/** Functions that specs run in threads: each does one thing that threads must cope with. */
import { skip, type Skip } from '#lib/model/record.js';
import { threadFactory, threadFunction } from '#lib/execution/thread-function.js';
import type { ThreadContext } from '#lib/execution/thread-context.js';

export const double = threadFunction(import.meta.url, 'double', (n: number): number => n * 2);
export const addOne = threadFunction(import.meta.url, 'addOne', (n: number): number => n + 1);
export const multiplyBy = threadFactory(
  import.meta.url,
  'multiplyBy',
  (factor: number) =>
    (n: number): number =>
      n * factor,
);
export const identity = threadFunction(import.meta.url, 'identity', (value: unknown): unknown => value);
export const skipOdd = threadFunction(import.meta.url, 'skipOdd', (n: number): number | Skip =>
  n % 2 === 0 ? n : skip('odd'),
);
export const describeCall = threadFunction(
  import.meta.url,
  'describeCall',
  (n: number, { task, runId, lineage }: ThreadContext): readonly unknown[] => [n, task, runId, lineage],
);
export const draw = threadFunction(import.meta.url, 'draw', (_: unknown, context: ThreadContext): readonly number[] => [
  context.random(),
  context.random(),
]);
export const promise = threadFunction(import.meta.url, 'promise', (n: number): Promise<number> => Promise.resolve(n));
export const rejectOn = threadFunction(import.meta.url, 'rejectOn', (n: number): number | Promise<never> =>
  n === 13 ? Promise.reject(new RangeError('later')) : n,
);
export const notAFactory = 3;

/** About `us` microseconds of work on the processor. */
export const burn = threadFunction(import.meta.url, 'burn', (us: number): number => {
  const until = performance.now() + us / 1000;
  let x = 0;
  while (performance.now() < until) x++;
  return x > 0 ? us : 0;
});

export const throwOn = threadFunction(import.meta.url, 'throwOn', (n: number): number => {
  if (n === 13) throw new RangeError('thirteen', { cause: new TypeError('why') });
  return n;
});
export const throwUndefinedOn = threadFunction(import.meta.url, 'throwUndefinedOn', (n: number): number => {
  if (n === 13) throw undefined;
  return n;
});
export const exitOn = threadFunction(import.meta.url, 'exitOn', (n: number): number => {
  if (n === 13) process.exit(0);
  return n;
});
export const spinOn = threadFunction(import.meta.url, 'spinOn', (n: number): number => {
  while (n === 13);
  return n;
});
export const outOfMemoryOn = threadFunction(import.meta.url, 'outOfMemoryOn', (n: number): number => {
  const hoard: number[][] = [];
  while (n === 13) hoard.push(new Array<number>(100_000).fill(n));
  return n;
});
export const uncloneableOn = threadFunction(import.meta.url, 'uncloneableOn', (n: number): unknown =>
  n === 13 ? { run: () => n } : n,
);

/** For streams: `count` numbers, and an error at the end where asked for. */
export function* countTo({ count, fails = false }: { count: number; fails?: boolean }): Generator<number> {
  for (let n = 0; n < count; n++) yield n;
  if (fails) throw new RangeError('the end');
}
export function* countForEver(): Generator<number> {
  for (let n = 0; ; n++) yield n;
}
