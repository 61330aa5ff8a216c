/**
 * Divides a CSV file into byte ranges that can be read separately. Each range begins where a record begins.
 *
 * This scans the whole file (about 400 MB/s, a tenth of the cost of reading its rows), because a line end ends a record
 * only if all quotes before it are closed. The scan also counts records and lines, so that every part knows the number
 * and the line of its first row.
 *
 * Guarantees: the parts contain every row of the file once.
 */
import type { InputVersion } from '../../connect/files.js';
import { openByteSource } from '../files/byte-source.js';
import { throwIfAborted } from '../files/open-input.js';
import { openCsvReader } from './csv-reader.js';
import { resolveReaderOptions, type CsvReaderOptions } from './csv-reader-options.js';
import { isRow, RecordBlocks } from './record-blocks.js';

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
  readonly delimiter: string;
  /** The version of the file, which the readers of the parts must find. */
  readonly version: InputVersion | undefined;
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
  const { columns, firstRow, version } = reader;
  await reader.close();
  const { delimiter, start, line } = firstRow;
  const resolved = resolveReaderOptions({
    ...options,
    chunkBytes: SCAN_CHUNK_BYTES,
    byteRange: { start, end: Math.max(start, fileBytes) },
    headerNames: columns,
    version,
  });
  const source = await openByteSource(resolved);
  try {
    const { path, maxRowBytes, encoding } = resolved;
    const blocks = new RecordBlocks(source, {
      path,
      dialect: { ...resolved.dialect, delimiter },
      isUtf8: encoding.isUtf8,
      maxRowBytes,
      // A byte order mark is skipped only at the beginning of the file, which is the first row if there is no header.
      offset: start + source.skippedBytes,
      line,
      columns: columns.length,
    });
    const starts: Omit<CsvPart, 'end'>[] = [];
    let rows = 0;
    let nextAt = 0;
    for (let block = await blocks.next(); block !== null; block = await blocks.next()) {
      throwIfAborted(resolved);
      for (const span of block.spans) {
        if (!isRow(block, span, columns.length)) continue;
        if (span.start >= nextAt && blocks.isSettledAt(span.start)) {
          starts.push({ start: span.start, line: span.line, rows });
          nextAt = span.start + partBytes;
        }
        rows++;
      }
    }
    const parts = starts.map((part, i) => ({ ...part, end: starts[i + 1]?.start ?? fileBytes }));
    return { columns, delimiter, version, parts };
  } finally {
    await source.close();
  }
}
