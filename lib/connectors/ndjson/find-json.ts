/** Finds the records of a JSON file that contain a value. */
import { findItems, type FoundItem } from '../files/find-items.js';
import { openJsonReader, type JsonItem } from './json-reader.js';
import type { JsonReaderOptions } from './json-reader-options.js';

/**
 * Finds records in which a string or number, at any depth, is `key`, and texts that contain `key` and are not records.
 * Throws the errors of the reader.
 */
export function findJson(options: JsonReaderOptions, key: string): AsyncGenerator<FoundItem<JsonItem>> {
  return findItems(
    () => openJsonReader(options),
    (item) => ('error' in item ? item.text.includes(key) : contains(item.value, key)),
  );
}

function contains(value: unknown, key: string): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some((inner) => contains(inner, key));
  return String(value) === key;
}
