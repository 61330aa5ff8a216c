/** What goes in comes out once, in order, numbered without gaps, in chunks of any size. */
import { expect, it } from '@jest/globals';
import { InOrder } from '#lib/stream/in-order.js';
import { RecordQueue } from '#lib/stream/record-queue.js';

it('hands out what was pushed, across the arrays it came in', () => {
  const queue = new RecordQueue(100);
  for (const list of [[0, 1, 2], [3], [], [4, 5, 6, 7]]) queue.push(list, list);
  expect(queue.size).toBe(8);
  expect(queue.take(2)).toEqual({ from: 0, lineages: [0, 1], records: [0, 1] });
  expect(queue.take(4)).toEqual({ from: 2, lineages: [2, 3, 4, 5], records: [2, 3, 4, 5] });
  queue.push([8], [undefined]);
  expect(queue.take(100)).toEqual({ from: 6, lineages: [6, 7, 8], records: [6, 7, undefined] });
  expect(queue.take(1)).toBeUndefined();
});

it('does not copy an array that leaves whole', () => {
  const queue = new RecordQueue(10);
  const records = ['a', 'b'];
  queue.push([5, 6], records);
  expect(queue.take(2)?.records).toBe(records);
});

it('is bounded', () => {
  const queue = new RecordQueue(2);
  queue.push([0], [0]);
  queue.push([1], [1]);
  expect(() => {
    queue.push([2], [2]);
  }).toThrow('capacity');
});

it('puts runs back into order', () => {
  const order = new InOrder<string>();
  const used: [string, number][] = [];
  const use = (item: string, count: number): number => used.push([item, count]);
  order.put(3, 2, 'second', use);
  expect(used).toEqual([]);
  order.put(0, 3, 'first', use);
  order.put(5, 1, 'third', use);
  expect(used).toEqual([
    ['first', 3],
    ['second', 2],
    ['third', 1],
  ]);
});
