/** Who is blamed when a thread dies. */
import { describe, expect, it } from '@jest/globals';
import type { Chunk } from '#lib/execution/executor.js';
import { judge } from '#lib/workers/after-death.js';
import type { Posted } from '#lib/workers/thread.js';

const chunkOf = (from: number, length: number): Chunk => {
  const records = Array.from({ length }, (_, index) => from + index);
  return { from, lineages: records, records };
};
const posted = (number: number, chunk: Chunk, isSuspect = false, transfer?: () => object[]): Posted =>
  ({ number, chunk, isSuspect, job: { transfer } }) as unknown as Posted;

describe('of the chunks a dead thread had in hand', () => {
  const first = posted(1, chunkOf(0, 4));
  const second = posted(2, chunkOf(4, 2));
  const thread = { outstanding: [first, second], stoppedAt: undefined };

  it('the one it was on is divided around the record, which goes on alone', () => {
    expect(judge(first, { chunk: 1, stage: 0, index: 1 }, thread)).toEqual({
      reruns: [
        { chunk: chunkOf(0, 1), isSuspect: false },
        { chunk: chunkOf(2, 2), isSuspect: false },
        { chunk: chunkOf(1, 1), isSuspect: true },
      ],
    });
  });

  it('the others are run again as they were', () => {
    expect(judge(second, { chunk: 1, stage: 0, index: 1 }, thread).reruns).toEqual([
      { chunk: chunkOf(4, 2), isSuspect: false },
    ]);
  });

  it('one that overtook another is known by its number', () => {
    expect(judge(first, { chunk: 2, stage: 0, index: 0 }, thread).reruns).toEqual([
      { chunk: chunkOf(0, 4), isSuspect: false },
    ]);
    expect(judge(second, { chunk: 2, stage: 0, index: 0 }, thread).reruns).toContainEqual({
      chunk: chunkOf(4, 1),
      isSuspect: true,
    });
  });

  it('the first is halved where nobody knows', () => {
    expect(judge(first, undefined, thread).reruns.map(({ chunk }) => chunk)).toEqual([chunkOf(0, 2), chunkOf(2, 2)]);
    expect(judge(second, undefined, thread).reruns).toEqual([{ chunk: chunkOf(4, 2), isSuspect: false }]);
  });
});

it('a record is blamed only when it killed two threads, the second alone', () => {
  const once = posted(1, chunkOf(7, 1));
  expect(judge(once, { chunk: 1, stage: 2, index: 0 }, { outstanding: [once], stoppedAt: undefined })).toEqual({
    reruns: [{ chunk: chunkOf(7, 1), isSuspect: true }],
  });
  const again = posted(2, chunkOf(7, 1), true);
  expect(judge(again, { chunk: 2, stage: 2, index: 0 }, { outstanding: [again], stoppedAt: undefined })).toEqual({
    guilty: { index: 0, stage: 2, attempts: 2 },
    reruns: [],
  });
  expect(judge(again, undefined, { outstanding: [again], stoppedAt: undefined }).guilty).toBeDefined();
});

it('a record that took too long, or cannot be sent twice, is blamed at once', () => {
  const late = posted(1, chunkOf(0, 3));
  const at = { chunk: 1, stage: 0, index: 2 };
  expect(judge(late, at, { outstanding: [late], stoppedAt: at })).toEqual({
    guilty: { index: 2, stage: 0, attempts: 1 },
    reruns: [{ chunk: chunkOf(0, 2), isSuspect: false }],
  });
  const moved = posted(1, chunkOf(0, 1), false, () => []);
  const verdict = judge(moved, { ...at, index: 0 }, { outstanding: [moved], stoppedAt: undefined });
  expect(verdict).toEqual({ guilty: { index: 0, stage: 0, attempts: 1 }, reruns: [] });
});
