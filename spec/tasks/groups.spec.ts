import { describe, expect, it } from '@jest/globals';
import { Groups } from '#lib/tasks/groups.js';
import { StateSpace } from '#lib/stream/state-space.js';

interface Entry {
  readonly key: string;
  readonly value: number;
}

/** Sums per key. A value below zero fails. */
function sums(): Groups<Entry, string, number, string> {
  const aggregate = {
    key: ({ key }: Entry) => key,
    init: () => 0,
    add: (sum: number, { value }: Entry) => {
      if (value < 0) throw new Error('below zero');
      return sum + value;
    },
    finish: (sum: number, key: string) => `${key} ${sum}`,
  };
  return new Groups(aggregate, 100, 'Sum');
}

/** Applies the changes of a space to its stored entries. */
function checkpoint(space: StateSpace, store: Map<string, unknown>): void {
  for (const [key, entry] of space.changes()) {
    if (entry === undefined) store.delete(key);
    else store.set(key, entry[0]);
  }
}

describe('the groups of an aggregate', () => {
  it('are made once each across incarnations, also where the first record of a key had failed', () => {
    const store = new Map<string, unknown>();
    const first = sums();
    const space = new StateSpace('task Sum');
    first.keepIn(space);
    expect(() => {
      first.add({ key: 'a', value: -1 });
    }).toThrow('below zero');
    first.add({ key: 'b', value: 1 });
    first.add({ key: 'a', value: 2 });
    checkpoint(space, store);
    const results = first.results((result) => result);
    expect(results.read(1)).toEqual(['b 1']);
    checkpoint(space, store);

    const second = sums();
    const restored = new StateSpace('task Sum');
    restored.restored = store;
    second.keepIn(restored);
    expect(second.results((result) => result).read(10)).toEqual(['a 2']);
  });

  it('are in a checkpoint once for all changes since the last one, and not without changes', () => {
    const groups = sums();
    const space = new StateSpace('task Sum');
    groups.keepIn(space);
    for (const value of [1, 2, 3]) groups.add({ key: 'a', value });
    groups.put('b', 5);
    expect([...space.changes()]).toEqual([
      ['0', [['a', 6]]],
      ['1', [['b', 5]]],
    ]);
    expect(groups.stateOf('a')).toEqual([6]);
    expect([...space.changes()]).toEqual([]);
    groups.add({ key: 'b', value: 1 });
    expect([...space.changes()]).toEqual([['1', [['b', 6]]]]);
  });
});
