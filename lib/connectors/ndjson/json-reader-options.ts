/**
 * The options of a reader of JSON files, as given and as resolved.
 *
 * Guarantees: options are checked once, before a file is opened. Invalid options throw MILLRACE_INVALID_OPTION.
 */
import type { FileStore, InputVersion } from '../../connect/files.js';
import type { FileFormat } from '../files/byte-source.js';
import { checkEncoding, type TextEncoding } from '../files/text-encoding.js';
import type { JsonReading } from '../json/json-value.js';
import type { LargeIntegers } from '../json/large-integers.js';

/** The options of the format of a JSON file. */
export interface JsonFormatOptions {
  /**
   * 'lines': each line is a record (NDJSON, JSON Lines). 'array': the file is one array, and each element is a record.
   * Default 'lines'.
   */
  readonly format?: 'lines' | 'array';
  /** Any label of `TextDecoder`. Default 'utf8', with or without a byte order mark. */
  readonly encoding?: string;
  /**
   * What happens to a record with an integer beyond ±2^53, which a number would round: 'refuse' makes it a dead letter
   * (default), 'text' reads such integers as strings of their digits, 'round' rounds them.
   */
  readonly largeIntegers?: LargeIntegers;
  /**
   * What happens to a record in which an object has a key twice: 'refuse' makes it a dead letter (default), 'last' uses
   * the last value.
   */
  readonly duplicateKeys?: 'refuse' | 'last';
  /**
   * The longest record, in bytes of the text (of the file, or of UTF-8 if it is converted). A longer one is a dead
   * letter of which only the beginning is kept. Default 4 MiB.
   */
  readonly maxRecordBytes?: number;
}

export interface JsonReaderOptions extends JsonFormatOptions {
  /** A file of JSON, or a .gz file, which is decompressed while it is read. */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore | undefined;
  /** The bytes per read, and so the most bytes that are read ahead of the records. Default 64 KiB. */
  readonly chunkBytes?: number;
  /** Ends the reading and releases the file; `read` then throws MILLRACE_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** The place of a record at which reading begins. Not for .gz files and encodings that are converted. */
  readonly at?: { readonly start: number; readonly line: number } | undefined;
  /** The version that the file had in an earlier reading. Another version is an error. */
  readonly version?: InputVersion | undefined;
}

export interface ResolvedJsonOptions {
  readonly path: string;
  readonly format: FileFormat;
  readonly isArray: boolean;
  readonly encoding: TextEncoding;
  readonly reading: JsonReading;
  readonly maxRecordBytes: number;
  readonly chunkBytes: number;
  readonly signal: AbortSignal | undefined;
  readonly at: { readonly start: number; readonly line: number } | undefined;
  readonly byteRange: { readonly start: number; readonly end: number } | undefined;
  readonly version: InputVersion | undefined;
  readonly store: FileStore | undefined;
}

/** Throws MILLRACE_INVALID_OPTION for an unknown encoding. Other options are checked where they are given. */
export function resolveJsonOptions(options: JsonReaderOptions): ResolvedJsonOptions {
  const { path, format = 'lines', largeIntegers = 'refuse', duplicateKeys = 'refuse', at, signal, version } = options;
  return {
    path,
    format: { name: format === 'array' ? 'JSON' : 'NDJSON', code: 'MILLRACE_JSON' },
    isArray: format === 'array',
    encoding: checkEncoding('a JSON file', options.encoding),
    reading: { largeIntegers, duplicateKeys },
    maxRecordBytes: options.maxRecordBytes ?? 4 * 1024 * 1024,
    chunkBytes: options.chunkBytes ?? 64 * 1024,
    signal,
    at,
    byteRange: at && { start: at.start, end: Number.MAX_SAFE_INTEGER },
    version,
    store: options.store,
  };
}
