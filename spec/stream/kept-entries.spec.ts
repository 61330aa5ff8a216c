import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeptEntries } from '#lib/stream/kept-entries.js';

/** Entries of a map from names to values, kept under the names. */
function kept(values: Map<string, number>): KeptEntries<string> {
  return new KeptEntries(
    (name) => (values.has(name) ? [values.get(name)] : undefined),
    (name) => name,
  );
}

describe('KeptEntries', () => {
  it('writes an entry that changed several times once, with its newest value', () => {
    const values = new Map<string, number>();
    const entries = kept(values);
    for (const value of [1, 2, 3]) {
      values.set('a', value);
      entries.changed('a');
    }
    expect([...entries.changes()]).toEqual([['a', [3]]]);
    expect([...entries.changes()]).toEqual([]);
  });

  it('removes an entry that the store contains, and never writes one that came and went in between', () => {
    const values = new Map([['brief', 1]]);
    const entries = kept(values);
    entries.restored('old', 'old');
    entries.changed('brief');
    values.clear();
    entries.removed('brief');
    entries.removed('old');
    expect([...entries.changes()]).toEqual([['old', undefined]]);
  });

  it('makes a key once, and leaves the entry of an item that is left', () => {
    const values = new Map([['a', 1]]);
    let next = 7;
    const entries = new KeptEntries<string>(
      (name) => (values.has(name) ? [values.get(name)] : undefined),
      () => next++,
    );
    entries.changed('a');
    expect([...entries.changes()]).toEqual([['7', [1]]]);
    entries.changed('a');
    expect([...entries.changes()]).toEqual([['7', [1]]]);
    values.clear();
    expect(entries.leave('a')).toBe(7);
    expect(entries.leave('a')).toBeUndefined();
    entries.removed('a');
    expect([...entries.changes()]).toEqual([]);
  });

  it('gives a store that applies its changes the entries as they are, at each checkpoint', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.record({ name, value: fc.integer() }),
      fc.record({ name, value: fc.constant(undefined) }),
      fc.constant('checkpoint' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const values = new Map<string, number>();
        const store = new Map<string, unknown>();
        let entries = kept(values);
        for (const one of [...steps, 'checkpoint' as const]) {
          if (one === 'checkpoint') {
            for (const [key, entry] of entries.changes()) {
              if (entry === undefined) expect(store.delete(key)).toBe(true);
              else store.set(key, entry[0]);
            }
            expect(store).toEqual(values);
            // The next incarnation continues with what the store contains.
            entries = kept(values);
            for (const key of store.keys()) entries.restored(key, key);
          } else if (one.value === undefined) {
            values.delete(one.name);
            entries.removed(one.name);
          } else {
            values.set(one.name, one.value);
            entries.changed(one.name);
          }
        }
      }),
    );
  });

  it('remembers nothing of entries that came and went between two checkpoints', () => {
    const entries = new KeptEntries<number>(
      () => undefined,
      (item) => item,
    );
    for (let item = 0; item < 1000; item++) {
      entries.changed(item);
      entries.removed(item);
    }
    expect(Reflect.get(entries, 'dirty')).toHaveProperty('size', 0);
  });
});
