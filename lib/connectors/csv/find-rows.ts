/** Finds the rows of a CSV file that contain a value. */
import { findItems, type FoundItem } from '../files/find-items.js';
import { openCsvReader, type CsvItem, type CsvReaderOptions } from './csv-reader.js';

/**
 * Finds rows with a field equal to `key`, and broken rows with `key` in their text. Throws the errors of the reader.
 */
export function findRows(options: CsvReaderOptions, key: string): AsyncGenerator<FoundItem<CsvItem>> {
  return findItems(
    () => openCsvReader(options),
    (item) => ('error' in item ? item.text.includes(key) : Object.values(item.values).includes(key)),
  );
}
