/**
 * Finds the rows of a file that contain a value.
 *
 * Guarantees: memory does not depend on the size of the file. The reader is always closed, even if the search ends
 * early.
 */
import type { RowReader } from './row-reader.js';

/** A row, and its number among the rows, from 0. */
export interface FoundItem<Item> {
  readonly item: Item;
  readonly index: number;
}

/** Returns the rows for which `isFound` is true, in order. Throws the errors of the reader. */
export async function* findItems<Item>(
  open: () => Promise<RowReader<Item>>,
  isFound: (item: Item) => boolean,
): AsyncGenerator<FoundItem<Item>> {
  const reader = await open();
  try {
    let index = 0;
    for (let items = await reader.read(4096); items !== null; items = await reader.read(4096)) {
      for (const item of items) {
        if (isFound(item)) yield { item, index };
        index++;
      }
    }
  } finally {
    await reader.close();
  }
}
