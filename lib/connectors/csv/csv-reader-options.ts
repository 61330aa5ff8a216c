/**
 * The options of a CSV reader, as given and as resolved.
 *
 * Guarantees: options are checked once, before a file is opened. Invalid options throw MILLRACE_INVALID_OPTION.
 */
import { describeValue, invalidOption, type OptionRule } from '../../connect/values.js';
import type { FileStore, InputVersion } from '../../connect/files.js';
import type { CsvDialect } from './csv-dialect.js';
import type { FileFormat } from '../files/byte-source.js';
import { checkEncoding, type TextEncoding } from '../files/text-encoding.js';
import { duplicatesOf } from './csv-header.js';
import type { RowShare } from './row-share.js';

/** The options of the format of a CSV file. Options that csv-parse has too have the same names. */
export interface CsvFormatOptions {
  /**
   * One ASCII character, but not a letter, digit or quote. Default `,`, or the one that the first line of the file
   * declares as `sep=;`.
   */
  readonly delimiter?: string;
  /** The character around fields, or false if quotes are ordinary characters. Default `"`. */
  readonly quote?: string | false;
  /**
   * A character such as `\` that precedes a quote, or itself, within a quoted field. Before other characters it is
   * ordinary. A doubled quote is understood as well. Default: only the doubled quote.
   */
  readonly escape?: string;
  /** Lines that begin with this text, such as `#`, are comments. Default: there are no comments. */
  readonly comment?: string;
  /** The line of the file at which reading begins, from 1: the header, or without one the first row. Default 1. */
  readonly fromLine?: number;
  /** Removes blanks (spaces and tabs) around fields and around their quotes, also in the header. Default false. */
  readonly trim?: boolean;
  /**
   * Accepts a field with wrong quotes as it is, its quotes included: a quote within a bare field, or text after a
   * closing quote. Default false: such a row is a bad row.
   */
  readonly relaxQuotes?: boolean;
  /**
   * Accepts rows with fewer fields than columns, whose missing fields become '', and rows with more, if the additional
   * fields are empty. Default false: such a row is a bad row.
   */
  readonly relaxColumnCount?: boolean;
}

export interface CsvReaderOptions extends CsvFormatOptions {
  /** A .csv file, or a .csv.gz file, which is decompressed while it is read. */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
  /**
   * The required columns, in any order; the file may have others. For a file without a header, or whose header is
   * replaced: all columns, in order, where '' leaves a column out.
   */
  readonly columns?: readonly string[];
  /**
   * Whether the first non-blank line contains the names of the columns. 'replace': it does, and `columns` replace them.
   * Default true.
   */
  readonly header?: boolean | 'replace';
  /**
   * Any label of `TextDecoder`. Default 'utf8', with or without a byte order mark. 'latin1' is windows-1252, as in the
   * Encoding Standard.
   */
  readonly encoding?: string;
  /**
   * The longest row, in bytes of the text (of the file, or of UTF-8 if it is converted), including its line end. A
   * longer row is a bad row of which only the beginning is kept. Default 4 MiB.
   */
  readonly maxRowBytes?: number;
  /** The bytes per read, and so the most bytes that are read ahead of the rows. Default 64 KiB. */
  readonly chunkBytes?: number;
  /** Ends the reading and releases the file; `read` then throws MILLRACE_ABORTED. */
  readonly signal?: AbortSignal;
  /**
   * Reads only the rows in these bytes of the file; `end` is exclusive. Both must be the beginning of a record or the
   * end of the file. The range must not contain the header; `headerNames` replaces it. Not for .gz files and encodings
   * that are converted.
   */
  readonly byteRange?: { readonly start: number; readonly end: number };
  /** The columns of the file, in order, for a part of a file. The reader then reads no header. */
  readonly headerNames?: readonly string[];
  /** The line of the file at which the bytes begin. Default 1. */
  readonly startLine?: number;
  /** Reads only the rows of this share. Its column must be a column of the file. */
  readonly share?: RowShare | undefined;
  /** The version that the file had in an earlier reading. Another version is an error. */
  readonly version?: InputVersion | undefined;
}

/** The format of the files, for messages about them. */
const CSV: FileFormat = { name: 'CSV', code: 'MILLRACE_CSV' };

export interface ResolvedReaderOptions {
  readonly path: string;
  readonly format: FileFormat;
  /** The delimiter is undefined if it was not given. */
  readonly dialect: Omit<CsvDialect, 'delimiter'> & { readonly delimiter: string | undefined };
  readonly relaxColumnCount: boolean;
  readonly columns: readonly string[];
  /** True if the header is read, but `columns` are the names. */
  readonly isHeaderReplaced: boolean;
  readonly encoding: TextEncoding;
  readonly fromLine: number;
  readonly maxRowBytes: number;
  readonly chunkBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly byteRange: { readonly start: number; readonly end: number } | undefined;
  /** The names of the columns, if they are known and no header must be read. */
  readonly headerNames: readonly string[] | undefined;
  readonly startLine: number;
  readonly share: RowShare | undefined;
  readonly version: InputVersion | undefined;
  readonly store: FileStore | undefined;
}

export function resolveReaderOptions(options: CsvReaderOptions): ResolvedReaderOptions {
  const { path, columns = [], header = true, byteRange, headerNames, signal } = options;
  if (typeof path !== 'string' || path === '') refuse('path', 'the path of a file', path);
  const encoding = checkEncoding('a CSV file', options.encoding);
  const names = headerNames ?? (header === false ? columns : undefined);
  if (names?.length === 0) refuse('columns', 'the columns in order, because the file has no header', columns);
  if (header === 'replace' && columns.length === 0) {
    refuse('columns', 'the columns in order, because they replace the header', columns);
  }
  for (const given of [columns, names ?? []]) {
    const doubled = duplicatesOf(given);
    if (doubled.length > 0) refuse('columns', 'each column once', doubled);
    if (given.includes('__proto__')) refuse('columns', "names that an object can hold, unlike '__proto__'", given);
  }
  if (byteRange !== undefined) {
    if (names === undefined)
      refuse('headerNames', 'the columns of the file, because `byteRange` leaves the header out', headerNames);
    if (!(byteRange.start >= 0 && byteRange.end >= byteRange.start))
      refuse('byteRange', 'a start and a later end', byteRange);
    if (encoding.isConverted || path.toLowerCase().endsWith('.gz')) {
      refuse('byteRange', 'none for a .gz file or this encoding, which cannot be read from the middle', byteRange);
    }
  }
  return {
    path,
    format: CSV,
    dialect: dialectOf(options),
    relaxColumnCount: options.relaxColumnCount ?? false,
    columns,
    isHeaderReplaced: header === 'replace',
    encoding,
    fromLine: count('fromLine', options.fromLine, 1),
    maxRowBytes: count('maxRowBytes', options.maxRowBytes, 4 * 1024 * 1024),
    chunkBytes: count('chunkBytes', options.chunkBytes, 64 * 1024),
    signal,
    byteRange,
    headerNames: names,
    startLine: count('startLine', options.startLine, 1),
    share: options.share,
    version: options.version,
    store: options.store,
  };
}

export const csvDelimiter: OptionRule = {
  expected: "one character such as ',', ';', '|' or '\\t'",
  // A letter or digit would split ordinary fields. The scanner, like fast-csv, needs one character.
  accepts: (value) => typeof value === 'string' && /^[\t !#-/:-@[-`{-~]$/.test(value),
};

export const csvQuote: OptionRule = {
  expected: 'one character such as \'"\' or "\'", or false',
  accepts: (value) => value === false || (typeof value === 'string' && /^[!-/:-@[-`{-~]$/.test(value)),
};

export const csvEscape: OptionRule = {
  expected: "one character such as '\\\\'",
  accepts: (value) => typeof value === 'string' && /^[!-/:-@[-`{-~]$/.test(value),
};

export const csvComment: OptionRule = {
  expected: "the first characters of a comment, such as '#' or '//'",
  accepts: (value) => typeof value === 'string' && /^[!-~][ -~]*$/.test(value),
};

/** Returns the delimiter, one byte. Throws MILLRACE_INVALID_OPTION for any other value. */
export function checkDelimiter(delimiter = ','): string {
  if (!csvDelimiter.accepts(delimiter)) refuse('delimiter', csvDelimiter.expected, delimiter);
  return delimiter;
}

function dialectOf(options: CsvReaderOptions): ResolvedReaderOptions['dialect'] {
  const { delimiter, quote = '"', escape, comment, trim = false, relaxQuotes = false } = options;
  const checked = (name: string, value: unknown, rule: OptionRule): void => {
    if (value !== undefined && !rule.accepts(value)) refuse(name, rule.expected, value);
  };
  checked('delimiter', delimiter, csvDelimiter);
  checked('quote', quote, csvQuote);
  checked('escape', escape, csvEscape);
  checked('comment', comment, csvComment);
  const special = [delimiter ?? ',', ...(quote === false ? [] : [quote])];
  if (quote !== false && quote === (delimiter ?? ',')) refuse('quote', 'another character than `delimiter`', quote);
  if (escape !== undefined && escape === (delimiter ?? ',')) {
    refuse('escape', 'another character than `delimiter`', escape);
  }
  const isSpecial = comment !== undefined && special.some((character) => comment.includes(character));
  if (isSpecial) refuse('comment', 'characters other than `delimiter` and `quote`', comment);
  return {
    delimiter,
    quote: quote === false ? undefined : quote,
    escape: escape === quote || quote === false ? undefined : escape,
    comment,
    trim,
    relaxQuotes,
  };
}

function count(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isSafeInteger(value) || value < 1) refuse(name, 'a whole number from 1 on', value);
  return value;
}

function refuse(name: string, expected: string, got: unknown): never {
  throw invalidOption(`Expected \`${name}\` of a CSV file to be ${expected}, got ${describeValue(got)}`);
}
