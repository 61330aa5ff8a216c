/**
 * Tracks the entries of a state: those that the store contains, and those that have changed since the last checkpoint.
 *
 * Guarantees: a checkpoint writes each changed entry once, in the order of the first changes, and removes the entries
 * that no longer exist. An entry that was added and removed between two checkpoints is neither written nor remembered,
 * so there are never more changes than entries in memory and in the store.
 */
import type { Change } from './state-space.js';

export class KeptEntries<Item> {
  private readonly find: (item: Item) => Change[1];
  private readonly keyFor: (item: Item) => string | number;
  private readonly dirty = new Set<Item>();
  /** The items whose entries are in the store, with their keys there. */
  private readonly stored = new Map<Item, string | number>();

  /**
   * @param find returns the present stored form of an item, in an array of one; undefined if the item is removed.
   * @param keyFor makes the key of an item that is not in the store.
   */
  constructor(find: (item: Item) => Change[1], keyFor: (item: Item) => string | number) {
    this.find = find;
    this.keyFor = keyFor;
  }

  /** Adds an item that an earlier incarnation has stored under this key. */
  restored(item: Item, key: string | number): void {
    this.stored.set(item, key);
  }

  /** Called when an item was added or changed, or will be changed before the next checkpoint. */
  changed(item: Item): void {
    this.dirty.add(item);
  }

  /** Called when an item was removed. */
  removed(item: Item): void {
    if (this.stored.has(item)) this.dirty.add(item);
    else this.dirty.delete(item);
  }

  /** Leaves the entry of an item in the store. Returns its key there, if it has one. */
  leave(item: Item): string | number | undefined {
    const key = this.stored.get(item);
    this.dirty.delete(item);
    this.stored.delete(item);
    return key;
  }

  /** The changes since the last call. */
  *changes(): Iterable<Change> {
    for (const item of this.dirty) {
      const entry = this.find(item);
      let key = this.stored.get(item);
      if (entry !== undefined) {
        if (key === undefined) this.stored.set(item, (key = this.keyFor(item)));
        yield [String(key), entry];
      } else if (key !== undefined) {
        this.stored.delete(item);
        yield [String(key), undefined];
      }
    }
    this.dirty.clear();
  }
}
