/** An aggregate for specs: sums of odd and even numbers. It refuses 13. */
import type { Chunk, Executor } from '#lib/execution/executor.js';
import { threadAggregate, threadFactory } from '#lib/execution/thread-function.js';

export const sums = threadAggregate(import.meta.url, 'sums', {
  key: (n: number): string => (n % 2 === 0 ? 'even' : 'odd'),
  init: (): number => 0,
  add: (sum: number, n: number): number => {
    if (n === 13) throw new RangeError('thirteen');
    return sum + n;
  },
  merge: (left: number, right: number): number => left + right,
  finish: (sum: number, key: string): string => `${key}: ${sum}`,
});

/** Associative, and not commutative: the order of parts shows. */
export const texts = threadFactory(import.meta.url, 'texts', ({ groups }: { groups: number }) => ({
  key: (n: number): number => n % groups,
  init: (): string => '',
  add: (text: string, n: number): string => {
    if (n === 1313) process.exit(0);
    return `${text},${n}`;
  },
  merge: (left: string, right: string): string => left + right,
  finish: (text: string, key: number): readonly [number, string] => [key, text],
}));

/** Folds each list in a partition of its own and gives what each collected. */
export function sumsOfParts(executor: Executor, lists: readonly (readonly number[])[]): Promise<unknown[]> {
  let first = 0;
  return Promise.all(
    lists.map(async (records, partition) => {
      const from = first;
      first += records.length;
      const ref = { module: import.meta.url, export: 'sums' };
      return await new Promise((resolve, reject) => {
        const places = records.map((_, index) => from + index);
        let chunk: Chunk | undefined = { from, lineages: places, records, places };
        const port = executor.open(
          { kind: 'partition', runId: 'spec', task: 'sum', ref, partition, maxKeys: 10 },
          {
            get queued() {
              return chunk?.records.length ?? 0;
            },
            pull: () => {
              const pulled = chunk;
              chunk = undefined;
              return pulled;
            },
            deliver: () => {
              port.collect().read().then(resolve, reject);
            },
            fail: reject,
          },
          { maxChunk: 100 },
        );
        port.wake();
      });
    }),
  );
}

export const withoutMerge = threadAggregate(import.meta.url, 'withoutMerge', {
  init: (): number => 0,
  add: (sum: number, n: number): number => sum + n,
  finish: (sum: number): number => sum,
});
