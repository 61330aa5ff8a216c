/** Functions of StateFlow that threads call. */
import { threadAggregate, threadStateful } from 'millrace/thread';

interface Numbered {
  readonly n: number;
}

interface Counted {
  count: number;
  sum: number;
}

/** Counts and adds up the records of a key, in place. */
export const tally = threadStateful(import.meta.url, 'tally', {
  key: ({ n }: Numbered) => n % 5,
  init: (): Counted => ({ count: 0, sum: 0 }),
  step: (state: Counted, { n }: Numbered) => {
    state.count++;
    state.sum += n;
    return [state, { n, count: state.count, sum: state.sum }] as const;
  },
});

/** The records of a key in their order. There is no way to merge two lists whose records alternate. */
export const listed = threadAggregate(import.meta.url, 'listed', {
  key: ({ n }: Numbered) => n % 7,
  init: (): number[] => [],
  add: (list: number[], { n }: Numbered) => [...list, n],
  finish: (list: readonly number[], key: number) => ({ key, list: list.join(' ') }),
});
