/** An aggregate for specs of files that threads fold: how many rows there are. */
import { threadAggregate } from '#lib/execution/thread-function.js';

export const rowCount = threadAggregate(import.meta.url, 'rowCount', {
  init: () => 0,
  add: (count: number, _row: Record<string, string>) => count + 1,
  merge: (left: number, right: number) => left + right,
  finish: (count: number) => count,
});
