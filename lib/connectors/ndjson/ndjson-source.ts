/**
 * Files of JSON records as a source: one record per line, or per element of an array. Every error names the file and
 * the line.
 *
 * Guarantees: memory does not depend on the size of the file. The failure policy ends a text that is not a record or
 * does not fit the schema; the other records continue. A file that cannot be read as declared fails the run with one
 * sentence.
 */
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  oneOf,
  Rejected,
  SOURCE_RULES,
  standardSchema,
  text,
  type FoundRecord,
  type OptionRules,
  type Schema,
  type SourceOptions,
  type SourcePosition,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import { fileStore, pathOrFiles, type FileSelection } from '../files/file-selection.js';
import { FileSource, nameOf } from '../files/file-source.js';
import type { RowReader } from '../files/row-reader.js';
import { findJson } from './find-json.js';
import { openJsonReader, type JsonItem } from './json-reader.js';
import { resolveJsonOptions, type JsonFormatOptions, type JsonReaderOptions } from './json-reader-options.js';
import { jsonRecord } from './json-record.js';

/** Options of `ndjsonSource`: the files, their format, and the type of their records. */
export interface NdjsonSourceOptions<Out> extends SourceOptions<Out>, JsonFormatOptions {
  /**
   * A file, which is decompressed while it is read if its name ends in .gz; or several, as
   * `files('in/*.ndjson')`. An `s3://` URL is a file of an object store.
   */
  readonly path: string | FileSelection;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
  /** Types the value of a record. The result of the validation is the record. Default: the value as it is. */
  readonly schema?: Schema<Out>;
}

const RULES: OptionRules<NdjsonSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: pathOrFiles,
  store: fileStore,
  schema: standardSchema,
  format: oneOf('lines', 'array'),
  // Checked by `resolveJsonOptions`, which suggests the nearest label.
  encoding: text,
  largeIntegers: oneOf('refuse', 'text', 'round'),
  duplicateKeys: oneOf('refuse', 'last'),
  maxRecordBytes: count(),
};

/**
 * Reads files of JSON records, in memory that does not depend on their size. The failure policy ends a text that is not
 * a record or does not fit the schema; the other records continue. Throws MILLRACE_INVALID_OPTION for options that do
 * not fit.
 *
 * @example ndjsonSource({ path: 'events.ndjson.gz', schema: z.object({ id: z.string(), at: z.iso.datetime() }) })
 * @example ndjsonSource({ path: 'export.json', format: 'array' })
 */
export function ndjsonSource<Out = unknown>(options: NdjsonSourceOptions<Out>): SourceTask<Out> {
  checkOptions('an ndjsonSource', options, RULES, ['path']);
  return connectorSource(new NdjsonSource(options), taskOptionsOf(options));
}

/** Files of JSON records as a `Source`. `ndjsonSource` makes it a task. */
export class NdjsonSource<Out> extends FileSource<JsonItem, Out> {
  readonly kind = 'ndjson source';
  readonly checkpointFormat = 'ndjson source';
  private readonly options: NdjsonSourceOptions<Out>;

  constructor(options: NdjsonSourceOptions<Out>) {
    super(options.path, options.store);
    this.options = options;
    resolveJsonOptions(this.readerOf(nameOf(options.path)));
  }

  protected openFile(path: string, at: SourcePosition | undefined, signal: AbortSignal): Promise<RowReader<JsonItem>> {
    return openJsonReader(this.readerAt(path, at, signal));
  }

  protected recordOf(item: JsonItem, path: string): Out | Rejected {
    return jsonRecord(item, path, this.options.schema);
  }

  protected async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    for await (const { item, index } of findJson(this.readerOf(path), key)) {
      const left = this.recordOf(item, path);
      const fate = left instanceof Rejected ? `given up: ${describeThrown(left.error)}` : 'read';
      yield {
        where: `${path}, line ${item.line}`,
        what: `${fate}: ${'error' in item ? item.text : JSON.stringify(item.value)}`,
        lineage: index,
        isOver: fate !== 'read',
      };
    }
  }

  private readerOf(path: string): JsonReaderOptions {
    const { store, format, encoding, largeIntegers, duplicateKeys, maxRecordBytes } = this.options;
    return {
      path,
      store,
      ...(format === undefined ? {} : { format }),
      ...(encoding === undefined ? {} : { encoding }),
      ...(largeIntegers === undefined ? {} : { largeIntegers }),
      ...(duplicateKeys === undefined ? {} : { duplicateKeys }),
      ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
    };
  }

  /** The options of a reader that begins at this position. */
  private readerAt(path: string, at: SourcePosition | undefined, signal: AbortSignal): JsonReaderOptions {
    const place = at as (SourcePosition & { readonly start: number; readonly line: number }) | undefined;
    return { ...this.readerOf(path), signal, at: place && { start: place.start, line: place.line } };
  }
}
