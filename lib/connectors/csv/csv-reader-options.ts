/**
 * The options of a CSV reader, as given and as resolved.
 *
 * Guarantees: options are checked once, before a file is opened. Invalid options throw MILLRACE_INVALID_OPTION.
 */
import { MillraceError, describeValue } from '../../model/errors.js';
import type { OptionRule } from '../../options/options.js';
import type { CsvEncoding } from './byte-source.js';
import { duplicatesOf, list } from './csv-header.js';
import type { RowShare } from './row-share.js';

export interface CsvReaderOptions {
  /** A .csv file, or a .csv.gz file, which is decompressed while it is read. */
  readonly path: string;
  /** One ASCII character, but not a letter, digit or quote. Default `,`. */
  readonly delimiter?: string;
  /**
   * The required columns, in any order; the file may have others. For a file without a header: all columns, in order.
   */
  readonly columns?: readonly string[];
  /** Whether the first non-blank line contains the names of the columns. Default true. */
  readonly header?: boolean;
  /** Default 'utf8', with or without a byte order mark. UTF-16 must be declared here. */
  readonly encoding?: CsvEncoding;
  /**
   * The longest row, in bytes of the text (UTF-8 or Latin-1), including its line end. A longer row is an error that
   * ends the reading, so a quote that is never closed is found before it fills the memory. Default 4 MiB.
   */
  readonly maxRowBytes?: number;
  /** The bytes per read, which is also the most that is read ahead of the rows. Default 64 KiB. */
  readonly chunkBytes?: number;
  /** Ends the reading and releases the file; `read` then throws MILLRACE_ABORTED. */
  readonly signal?: AbortSignal;
  /**
   * Reads only the rows in these bytes of the file; `end` is exclusive. Both must be the beginning of a record or the
   * end of the file. The range must not contain the header; `headerNames` replaces it. Not for .gz and UTF-16.
   */
  readonly byteRange?: { readonly start: number; readonly end: number };
  /** The columns of the file, in order, for a part of a file. The reader then reads no header. */
  readonly headerNames?: readonly string[];
  /** The line of the file at which the bytes begin. Default 1. */
  readonly startLine?: number;
  /** Reads only the rows of this share. Its column must be a column of the file. */
  readonly share?: RowShare | undefined;
}

export interface ResolvedReaderOptions {
  readonly path: string;
  readonly delimiter: string;
  readonly columns: readonly string[];
  readonly encoding: CsvEncoding;
  readonly maxRowBytes: number;
  readonly chunkBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly byteRange: { readonly start: number; readonly end: number } | undefined;
  /** The names of the columns, if they are known and no header must be read. */
  readonly headerNames: readonly string[] | undefined;
  readonly startLine: number;
  readonly share: RowShare | undefined;
}

const ENCODINGS: readonly CsvEncoding[] = ['utf8', 'utf16le', 'latin1'];

export function resolveReaderOptions(options: CsvReaderOptions): ResolvedReaderOptions {
  const { path, columns = [], header = true, encoding = 'utf8', byteRange, headerNames, signal } = options;
  if (typeof path !== 'string' || path === '') refuse('path', 'the path of a file', path);
  if (!ENCODINGS.includes(encoding)) refuse('encoding', `one of ${list(ENCODINGS)}`, encoding);
  const names = headerNames ?? (header ? undefined : columns);
  if (names?.length === 0) refuse('columns', 'the columns in order, because the file has no header', columns);
  for (const given of [columns, names ?? []]) {
    const doubled = duplicatesOf(given);
    if (doubled.length > 0) refuse('columns', 'each column once', doubled);
  }
  if (byteRange !== undefined) {
    if (names === undefined)
      refuse('headerNames', 'the columns of the file, because `byteRange` leaves the header out', headerNames);
    if (!(byteRange.start >= 0 && byteRange.end >= byteRange.start))
      refuse('byteRange', 'a start and a later end', byteRange);
    if (encoding === 'utf16le' || path.toLowerCase().endsWith('.gz')) {
      refuse('byteRange', 'none for a .gz or UTF-16 file, which cannot be read from the middle', byteRange);
    }
  }
  return {
    path,
    delimiter: checkDelimiter(options.delimiter),
    columns,
    encoding,
    maxRowBytes: count('maxRowBytes', options.maxRowBytes, 4 * 1024 * 1024),
    chunkBytes: count('chunkBytes', options.chunkBytes, 64 * 1024),
    signal,
    byteRange,
    headerNames: names,
    startLine: count('startLine', options.startLine, 1),
    share: options.share,
  };
}

export const csvDelimiter: OptionRule = {
  expected: "one character such as ',', ';', '|' or '\\t'",
  // A letter or digit would split ordinary fields. The scanner, like fast-csv, needs one character.
  accepts: (value) => typeof value === 'string' && /^[\t !#-/:-@[-`{-~]$/.test(value),
};

/** Returns the delimiter, one byte. Throws MILLRACE_INVALID_OPTION for any other value. */
export function checkDelimiter(delimiter = ','): string {
  if (!csvDelimiter.accepts(delimiter)) refuse('delimiter', csvDelimiter.expected, delimiter);
  return delimiter;
}

function count(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < 1) refuse(name, 'a whole number from 1 on', value);
  return value;
}

function refuse(name: string, expected: string, got: unknown): never {
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected \`${name}\` of a CSV file to be ${expected}, got ${describeValue(got)}`,
  );
}
