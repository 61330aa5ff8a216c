/** Who is blamed when a thread dies. */
import { describe, expect, it } from '@jest/globals';
import type { Chunk } from '#lib/execution/executor.js';
import { judge } from '#lib/workers/after-death.js';
import type { Posted } from '#lib/workers/thread.js';

const chunkOf = (from: number, length: number): Chunk => {
  const records = Array.from({ length }, (_, index) => from + index);
  return { from, lineages: records, records };
};
const posted = (number: number, chunk: Chunk, deaths = 0, transfer?: () => object[], isOrdered = false): Posted =>
  ({ number, chunk, deaths, isFirst: false, workload: { transfer, isOrdered } }) as unknown as Posted;
const isLoading = (): boolean => false;

describe('of the chunks a dead thread had in hand', () => {
  const first = posted(1, chunkOf(0, 4));
  const second = posted(2, chunkOf(4, 2));
  const thread = { outstanding: [first, second], stoppedAt: undefined, isLoading };

  it('the one it was on is divided around the record, which goes on alone', () => {
    expect(judge(first, { chunk: 1, member: 0, index: 1 }, thread)).toEqual({
      reruns: [
        { chunk: chunkOf(0, 1), deaths: 0 },
        { chunk: chunkOf(2, 2), deaths: 0 },
        { chunk: chunkOf(1, 1), deaths: 1 },
      ],
    });
  });

  it('the one it was on keeps the order of its records, where the workload needs it', () => {
    const ordered = posted(1, { ...chunkOf(0, 4), places: [7, 8, 7, 9] }, 0, undefined, true);
    const { reruns } = judge(ordered, { chunk: 1, member: 0, index: 1 }, thread);
    expect(reruns).toMatchObject([
      { chunk: { from: 0, records: [0], places: [7] }, deaths: 0 },
      { chunk: { from: 1, records: [1], places: [8] }, deaths: 1 },
      { chunk: { from: 2, records: [2, 3], places: [7, 9] }, deaths: 0 },
    ]);
  });

  it('the others are run again as they were', () => {
    expect(judge(second, { chunk: 1, member: 0, index: 1 }, thread).reruns).toEqual([
      { chunk: chunkOf(4, 2), deaths: 0 },
    ]);
  });

  it('one that overtook another is known by its number', () => {
    expect(judge(first, { chunk: 2, member: 0, index: 0 }, thread).reruns).toEqual([
      { chunk: chunkOf(0, 4), deaths: 0 },
    ]);
    expect(judge(second, { chunk: 2, member: 0, index: 0 }, thread).reruns).toContainEqual({
      chunk: chunkOf(4, 1),
      deaths: 1,
    });
  });

  it('the first is halved where nobody knows', () => {
    expect(judge(first, undefined, thread).reruns.map(({ chunk }) => chunk)).toEqual([chunkOf(0, 2), chunkOf(2, 2)]);
    expect(judge(second, undefined, thread).reruns).toEqual([{ chunk: chunkOf(4, 2), deaths: 0 }]);
  });
});

it('a record is blamed only when it killed two threads, the second alone', () => {
  const once = posted(1, chunkOf(7, 1));
  expect(
    judge(once, { chunk: 1, member: 2, index: 0 }, { outstanding: [once], stoppedAt: undefined, isLoading }),
  ).toEqual({
    reruns: [{ chunk: chunkOf(7, 1), deaths: 1 }],
  });
  const again = posted(2, chunkOf(7, 1), 1);
  expect(
    judge(again, { chunk: 2, member: 2, index: 0 }, { outstanding: [again], stoppedAt: undefined, isLoading }),
  ).toEqual({
    guilty: { index: 0, member: 2, attempts: 2 },
    reruns: [],
  });
});

describe('a record whose thread died of something unknown', () => {
  const judgeAlone = (one: Posted): ReturnType<typeof judge> =>
    judge(one, undefined, { outstanding: [one], stoppedAt: undefined, isLoading });

  it('is blamed where no other record was in the thread before it', () => {
    expect(judgeAlone({ ...posted(2, chunkOf(7, 1), 1), isFirst: true }).guilty).toEqual({
      index: 0,
      member: 0,
      attempts: 2,
    });
  });

  it('is not blamed for what an earlier record of the thread may have left behind, until the third death', () => {
    expect(judgeAlone(posted(2, chunkOf(7, 1), 1))).toEqual({ reruns: [{ chunk: chunkOf(7, 1), deaths: 2 }] });
    expect(judgeAlone(posted(3, chunkOf(7, 1), 2)).guilty).toMatchObject({ attempts: 3 });
  });
});

it('no record is blamed for a thread that died while it loaded the module', () => {
  const first = posted(1, chunkOf(0, 4));
  expect(judge(first, undefined, { outstanding: [first], stoppedAt: undefined, isLoading: () => true })).toEqual({
    reruns: [{ chunk: chunkOf(0, 4), deaths: 0 }],
  });
});

it('a record that took too long, or cannot be sent twice, is blamed at once', () => {
  const late = posted(1, chunkOf(0, 3));
  const at = { chunk: 1, member: 0, index: 2 };
  expect(judge(late, at, { outstanding: [late], stoppedAt: at, isLoading })).toEqual({
    guilty: { index: 2, member: 0, attempts: 1 },
    reruns: [{ chunk: chunkOf(0, 2), deaths: 0 }],
  });
  const moved = posted(1, chunkOf(0, 1), 0, () => []);
  const verdict = judge(moved, { ...at, index: 0 }, { outstanding: [moved], stoppedAt: undefined, isLoading });
  expect(verdict).toEqual({ guilty: { index: 0, member: 0, attempts: 1 }, reruns: [] });
});
