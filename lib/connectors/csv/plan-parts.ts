/**
 * Divides a CSV file into byte ranges that can be read separately. Each range begins where a record begins.
 *
 * This scans the whole file (about 400 MB/s, a tenth of the cost of reading its rows), because a line end ends a record
 * only if all quotes before it are closed. The scan also counts records and lines, so that every part knows the number
 * and the line of its first row.
 *
 * Guarantees: the parts contain every row of the file once.
 */
import { openByteSource } from './byte-source.js';
import { openCsvReader, throwIfAborted } from './csv-reader.js';
import { resolveReaderOptions, type CsvReaderOptions } from './csv-reader-options.js';
import { isBlank, isRow, RecordBlocks } from './record-blocks.js';

/** Plain data. */
export interface CsvPart {
  readonly start: number;
  readonly end: number;
  /** The line at which it begins, from 1. */
  readonly line: number;
  /** The number of rows before it. */
  readonly rows: number;
}

export interface CsvParts {
  readonly columns: readonly string[];
  readonly parts: readonly CsvPart[];
}

const SCAN_CHUNK_BYTES = 256 * 1024;

/**
 * Plans parts of at least `partBytes` of a file of `fileBytes`. Throws the errors of reading the file, and
 * MILLRACE_ABORTED when `options.signal` aborts: the scan of a large file takes minutes, and the end of a run must not
 * wait for it.
 */
export async function planParts(options: CsvReaderOptions, fileBytes: number, partBytes: number): Promise<CsvParts> {
  const reader = await openCsvReader(options);
  const { columns } = reader;
  await reader.close();
  const resolved = resolveReaderOptions({ ...options, chunkBytes: SCAN_CHUNK_BYTES });
  const source = await openByteSource(resolved);
  try {
    const { path, delimiter, maxRowBytes } = resolved;
    const blocks = new RecordBlocks(source, { path, delimiter, maxRowBytes, offset: source.skippedBytes, line: 1 });
    const starts: Omit<CsvPart, 'end'>[] = [];
    let rows = 0;
    let isHeader = options.header ?? true;
    let nextAt = 0;
    for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
      throwIfAborted(resolved);
      for (const span of block.spans) {
        if (isHeader) isHeader = isBlank(block, span);
        else if (isRow(block, span, columns.length)) {
          if (span.start >= nextAt) {
            starts.push({ start: span.start, line: span.line, rows });
            nextAt = span.start + partBytes;
          }
          rows++;
        }
      }
    }
    const parts = starts.map((part, i) => ({ ...part, end: starts[i + 1]?.start ?? fileBytes }));
    return { columns, parts };
  } finally {
    await source.close();
  }
}
