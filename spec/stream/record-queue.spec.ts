/** What goes in comes out once, in order, in chunks of any size. */
import { expect, it } from '@jest/globals';
import { NumberOrder } from '#lib/stream/number-order.js';
import { RecordQueue } from '#lib/stream/record-queue.js';

it('hands out what was pushed, across the arrays it came in', () => {
  const queue = new RecordQueue(100);
  for (const list of [[0, 1, 2], [3], [], [4, 5, 6, 7]]) queue.push(list, list);
  expect(queue.size).toBe(8);
  expect(queue.remove(2, 0)).toEqual({ from: 0, lineages: [0, 1], records: [0, 1] });
  expect(queue.remove(4, 2)).toEqual({ from: 2, lineages: [2, 3, 4, 5], records: [2, 3, 4, 5] });
  queue.push([8], [undefined]);
  expect(queue.remove(100, 6)).toEqual({ from: 6, lineages: [6, 7, 8], records: [6, 7, undefined] });
  expect(queue.remove(1, 9)).toBeUndefined();
});

it('does not copy an array that leaves whole', () => {
  const queue = new RecordQueue(10);
  const records = ['a', 'b'];
  queue.push([5, 6], records);
  expect(queue.remove(2, 0)?.records).toBe(records);
});

it('is bounded', () => {
  const queue = new RecordQueue(2);
  queue.push([0], [0]);
  queue.push([1], [1]);
  expect(() => {
    queue.push([2], [2]);
  }).toThrow('capacity');
});

it('puts stretches back into order', () => {
  const order = new NumberOrder<readonly [string, number]>();
  const used: (readonly [string, number])[] = [];
  const put = (from: number, count: number, item: string): void => {
    order.pass(
      from,
      [item, count],
      ([, numbers]) => numbers,
      (next) => used.push(next),
    );
  };
  put(3, 2, 'second');
  expect(used).toEqual([]);
  put(0, 3, 'first');
  put(5, 1, 'third');
  expect(used).toEqual([
    ['first', 3],
    ['second', 2],
    ['third', 1],
  ]);
});

it('begins with the number it was given, and holds undefined as an item', () => {
  const order = new NumberOrder<string | undefined>(7);
  order.hold(8, undefined);
  expect([order.size, order.isReady]).toEqual([1, false]);
  order.advance();
  expect(order.isReady).toBe(true);
  expect(order.release()).toBeUndefined();
  order.advance();
  expect([order.size, order.isReady, order.next]).toEqual([0, false, 9]);
});
