/** What the subjects of the contract do with a record; threads load it too. Records are `{ n, value }`. */
import { threadFactory, threadFunction } from '#lib/execution/thread-function.js';

export interface Numbered {
  readonly n: number;
  readonly value: unknown;
}

export type Work = (record: Numbered) => Numbered;

export const pass = threadFunction(import.meta.url, 'pass', (record: Numbered): Numbered => record);

/** Throws `undefined` on the record with this number, or on every one. */
export const failOn = threadFactory(
  import.meta.url,
  'failOn',
  (bad: number | 'all') =>
    (record: Numbered): Numbered => {
      // Whatever may be thrown in JavaScript must be taken for a failure.

      if (bad === 'all' || record.n === bad) throw undefined;
      return record;
    },
);

/** One state a record, so that an aggregate gives back what it took. */
const each = (work: Work): object => ({
  key: ({ n }: Numbered): number => n,
  init: (): Numbered | null => null,
  add: (_: Numbered | null, record: Numbered): Numbered => work(record),
  merge: (_: Numbered | null, right: Numbered | null): Numbered | null => right,
  finish: (state: Numbered | null): Numbered | null => state,
});

export const foldEach = threadFactory(import.meta.url, 'foldEach', (bad: number | 'all' | 'none') =>
  each(bad === 'none' ? pass : failOn(bad)),
);
