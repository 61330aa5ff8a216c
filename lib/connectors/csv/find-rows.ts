/**
 * Finds the rows of a CSV file that contain a value.
 *
 * Guarantees: memory does not depend on the size of the file.
 */
import { openCsvReader, type CsvItem, type CsvReaderOptions } from './csv-reader.js';

/** A row, and its number among the rows, from 0. */
export interface FoundRow {
  readonly item: CsvItem;
  readonly index: number;
}

/**
 * Finds rows with a field equal to `key`, and broken rows with `key` in their text. Throws the errors of the reader.
 */
export async function* findRows(options: CsvReaderOptions, key: string): AsyncGenerator<FoundRow> {
  const reader = await openCsvReader(options);
  try {
    let index = 0;
    for (let items = await reader.read(4096); items !== null; items = await reader.read(4096)) {
      for (const item of items) {
        const isFound = 'error' in item ? item.text.includes(key) : Object.values(item.values).includes(key);
        if (isFound) yield { item, index };
        index++;
      }
    }
  } finally {
    await reader.close();
  }
}
