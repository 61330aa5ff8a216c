/** Sums by parity, for aggregates inline and in threads. */
import { threadAggregate } from 'millrace';

const parts = {
  key: (n: number): string => (n % 2 === 0 ? 'even' : 'odd'),
  init: (): number => 0,
  add: (sum: number, n: number): number => sum + n,
  merge: (left: number, right: number): number => left + right,
  finish: (sum: number, key: string): string => `${key} ${sum}`,
};

export const byParity = { ...parts };
export const summed = threadAggregate(import.meta.url, 'summed', parts);
