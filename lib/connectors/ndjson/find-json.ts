/**
 * Finds the records of a JSON file that contain a value.
 *
 * Guarantees: memory does not depend on the size of the file.
 */
import { openJsonReader, type JsonItem } from './json-reader.js';
import type { JsonReaderOptions } from './json-reader-options.js';

/** A record, and its number among the records, from 0. */
export interface FoundJson {
  readonly item: JsonItem;
  readonly index: number;
}

/**
 * Finds records in which a string or number, at any depth, is `key`, and texts that are no records with `key` in them.
 * Throws the errors of the reader.
 */
export async function* findJson(options: JsonReaderOptions, key: string): AsyncGenerator<FoundJson> {
  const reader = await openJsonReader(options);
  try {
    let index = 0;
    for (let items = await reader.read(4096); items !== null; items = await reader.read(4096)) {
      for (const item of items) {
        if ('error' in item ? item.text.includes(key) : contains(item.value, key)) yield { item, index };
        index++;
      }
    }
  } finally {
    await reader.close();
  }
}

function contains(value: unknown, key: string): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((inner) => contains(inner, key));
  return String(value) === key;
}
