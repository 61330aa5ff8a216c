/**
 * Files of JSON records as a source: one record per line, or per element of an array. Every error names the file and the
 * line.
 *
 * Guarantees: memory does not depend on the size of the file. The failure policy ends a text that is no record or does not
 * fit the schema; the other records continue. A file that cannot be read as declared fails the run with one sentence.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  holdClock,
  oneOf,
  Rejected,
  SOURCE_RULES,
  standardSchema,
  text,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type Json,
  type OptionRules,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourcePosition,
  type SourceTask,
  type TouchedFile,
  taskOptionsOf,
} from '../../connect/index.js';
import { identifyFile, touchedFile } from '../../connect/files.js';
import { FileRows } from '../files/file-rows.js';
import { pathOrFiles, type FileSelection } from '../files/file-selection.js';
import { SelectedFiles, type FileReading } from '../files/selected-files.js';
import { findJson } from './find-json.js';
import { openJsonReader, type JsonItem } from './json-reader.js';
import { resolveJsonOptions, type JsonFormatOptions, type JsonReaderOptions } from './json-reader-options.js';
import { jsonRecord } from './json-record.js';

/** Options of `ndjsonSource`: the files, their format, and the type of their records. */
export interface NdjsonSourceOptions<Out> extends SourceOptions<Out>, JsonFormatOptions {
  /** A file, which is decompressed while it is read if its name ends in .gz; or several, as `files('in/*.ndjson')`. */
  readonly path: string | FileSelection;
  /** Types the value of a record. The result of the validation is the record. Default: the value as it is. */
  readonly schema?: Schema<Out>;
}

const RULES: OptionRules<NdjsonSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: pathOrFiles,
  schema: standardSchema,
  format: oneOf('lines', 'array'),
  // Checked by `resolveJsonOptions`, which suggests the nearest label.
  encoding: text,
  largeIntegers: oneOf('refuse', 'text', 'round'),
  duplicateKeys: oneOf('refuse', 'last'),
  maxRecordBytes: count(),
};

/**
 * Reads files of JSON records, in memory that does not depend on their size. The failure policy ends a text that is no
 * record or does not fit the schema; the other records continue. Throws MILLRACE_INVALID_OPTION for options that do not
 * fit.
 *
 * @example ndjsonSource({ path: 'events.ndjson.gz', schema: z.object({ id: z.string(), at: z.iso.datetime() }) })
 * @example ndjsonSource({ path: 'export.json', format: 'array' })
 */
export function ndjsonSource<Out = unknown>(options: NdjsonSourceOptions<Out>): SourceTask<Out> {
  checkOptions('an ndjsonSource', options, RULES, ['path']);
  return connectorSource(new NdjsonSource(options), taskOptionsOf(options));
}

/** Files of JSON records as a `Source`. `ndjsonSource` makes a task of it. */
export class NdjsonSource<Out> implements Source<Out> {
  readonly kind = 'ndjson source';
  readonly isPartitioned: boolean;
  private readonly options: NdjsonSourceOptions<Out>;
  private readonly selected: SelectedFiles<JsonItem, Out> | undefined;
  private readonly reading: FileReading<JsonItem, Out>;

  constructor(options: NdjsonSourceOptions<Out>) {
    this.options = options;
    const { path, schema } = options;
    resolveJsonOptions(this.readerOf(typeof path === 'string' ? path : path.name));
    this.reading = {
      open: (file, at, signal) => openJsonReader(this.readerAt(file, at, signal)),
      recordOf: (item, file) => jsonRecord(item, file, schema),
      find: (file, key) => this.findIn(file, key),
    };
    this.isPartitioned = typeof path !== 'string';
    if (typeof path !== 'string') this.selected = new SelectedFiles(path, this.reading);
  }

  get dataset(): Dataset {
    const { path } = this.options;
    return { namespace: 'file', name: resolve(typeof path === 'string' ? path : path.name) };
  }

  files(): readonly TouchedFile[] {
    return this.selected?.files() ?? [touchedFile(this.path, 'read')];
  }

  identify(): Promise<Json> {
    return this.selected?.identify() ?? identifyFile(this.path);
  }

  find(key: string): AsyncIterable<FoundRecord> {
    return this.selected?.find(key) ?? this.findIn(this.path, key);
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    if (this.selected !== undefined) return this.selected.open(context, past);
    const { path, reading } = this;
    const { clock, signal } = context;
    const reader = await holdClock(clock, reading.open(path, past?.position, signal));
    const { size } = await holdClock(clock, stat(path));
    const from = past?.position?.lineage ?? 0;
    return [new FileRows({ reader, recordOf: (item: JsonItem) => reading.recordOf(item, path), from, size, clock })];
  }

  nextPartitions(): Promise<readonly SourcePartition<Out>[] | null> {
    return this.selected?.nextPartitions() ?? Promise.resolve(null);
  }

  close(): void {
    this.selected?.close();
  }

  /** The path of the one file. */
  private get path(): string {
    return this.options.path as string;
  }

  private async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    for await (const { item, index } of findJson(this.readerOf(path), key)) {
      const left = jsonRecord(item, path, this.options.schema);
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
    const { format, encoding, largeIntegers, duplicateKeys, maxRecordBytes } = this.options;
    return {
      path,
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
