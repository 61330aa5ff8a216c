/**
 * CSV files as a source: rows pulled as there is room, typed by a schema, with the file and line in every refusal.
 *
 * Promises: memory does not depend on the size of the file; a row that cannot be read or does not fit the schema ends
 * alone, by the failure policy; a file that cannot be read as declared fails the run with one sentence.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Dataset } from '../core/events.js';
import { MillraceError, codeOf, describeThrown } from '../core/errors.js';
import type { Json } from '../core/checkpoint.js';
import type { ModuleRef } from '../core/executor.js';
import {
  checkOptions,
  count,
  either,
  flag,
  names,
  oneOf,
  standardSchema,
  text,
  type OptionRules,
} from '../core/options.js';
import type { TaskScope } from '../core/ports.js';
import { Rejected, Skip, type Lineage } from '../core/record.js';
import type { Schema } from '../core/schema.js';
import { homeOf } from '../core/thread-function.js';
import type { Reader } from '../stream/reader.js';
import type { FoundRecord } from '../tasks/task.js';
import { positionIn, SOURCE_RULES, SourceTask, type SourceOptions, type SourcePosition } from '../tasks/source-task.js';
import type { PartRequest } from './csv/part-thread.js';
import { PART_THREAD, readParts } from './csv/parts-reader.js';
import { planParts, type CsvPart } from './csv/plan-parts.js';
import { recordOf } from './csv/row-record.js';
import type { FoldRequest } from '../tasks/source-parts.js';
import { identifyFile } from '../storage/identify-file.js';
import { isPacked } from './csv/byte-source.js';
import { csvDelimiter, resolveReaderOptions } from './csv/csv-reader-options.js';
import { findRows } from './csv/find-rows.js';
import { openCsvReader, type CsvPoint, type CsvReader, type CsvReaderOptions } from './csv/csv-reader.js';

/** The fields of a row by column name. */
export type CsvFields = Record<string, string>;

/** Options of `csvSource`: the file, how it is written, and how its rows are typed. */
export interface CsvSourceOptions<Out>
  extends SourceOptions<Out>, Pick<CsvReaderOptions, 'delimiter' | 'header' | 'encoding' | 'maxRowBytes'> {
  /** A .csv file, or a .csv.gz, which is unpacked on the way. */
  readonly path: string;
  /** Columns that must be there; for a file without a header, the columns in order. */
  readonly columns?: readonly string[];
  /** Types the fields of a row; what it gives back is the record. Default: the fields as strings. */
  readonly schema?: Schema<Out>;
  /**
   * What a row with an empty field in one of `columns` is: 'keep' hands it to the schema (default), 'skip' counts it
   * with the reason `missing <column>`.
   */
  readonly missing?: 'keep' | 'skip';
  /**
   * Reads the file in so many parts, each in a thread; 'auto': one a thread of the run. Pays for large files (tens of
   * MB), most of all in front of an aggregate that threads can fold, because then only its states leave the threads.
   * Needs a `schema` that says where it lives (`threadSchema`), if any. A file that cannot be read from the middle, .gz
   * or UTF-16, is refused for a number, and read as one for 'auto'. A run without threads reads the file as one. A
   * thread that dies fails the run. Default 1.
   */
  readonly partitions?: number | 'auto';
}

const RULES: OptionRules<CsvSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: text,
  columns: names,
  schema: standardSchema,
  missing: oneOf('keep', 'skip'),
  partitions: either(count(), oneOf('auto')),
  delimiter: csvDelimiter,
  header: flag,
  encoding: oneOf('utf8', 'utf16le', 'latin1'),
  maxRowBytes: count(),
};

/**
 * Reads a CSV file, one record a row, in memory that does not depend on its size. A row that cannot
 * be read or does not fit the schema ends alone, by the failure policy.
 *
 * @example csvSource({ path: 'members.csv', columns: ['id', 'name'], schema: z.object({ id: z.coerce.number(), name: z.string() }) })
 */
export function csvSource<Out = CsvFields>(options: CsvSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a csvSource', options, RULES, ['path']);
  return new CsvSource(options);
}

class CsvSource<Out> extends SourceTask<Out> {
  override readonly kind = 'csv source';
  private readonly csv: CsvSourceOptions<Out>;
  private rows: CsvReader | undefined;
  /** The number of the first row that `rows` gives. */
  private from: Lineage = 0;

  constructor(options: CsvSourceOptions<Out>) {
    super(options);
    this.csv = options;
    resolveReaderOptions(readerOptions(options));
    checkDivisible(options);
  }

  override get usesExecutor(): boolean {
    return this.isDivided;
  }

  protected override read(): never {
    throw new TypeError('A CSV source hands over batches of its own');
  }

  override async *find(key: string): AsyncGenerator<FoundRecord> {
    for await (const { item, index } of findRows(readerOptions(this.csv), key)) {
      const left = recordOf(item, this.csv);
      const text = 'error' in item ? item.text : JSON.stringify(item.values);
      const fate =
        left instanceof Skip
          ? `skipped: ${left.reason}`
          : left instanceof Rejected
            ? `given up: ${describeThrown(left.error)}`
            : 'read';
      yield {
        where: `${this.csv.path}, line ${item.line}`,
        what: `${fate}: ${text}`,
        lineage: index,
        isOver: fate !== 'read',
      };
    }
  }

  override get dataset(): Dataset {
    const { path, columns } = this.csv;
    return { path: resolve(path), ...(columns && { fields: columns }) };
  }

  override identify(): Promise<Json> {
    return identifyFile(this.csv.path);
  }

  override foldParts(fold: FoldRequest, scope: TaskScope): Promise<readonly ModuleRef[]> | undefined {
    if (!this.isDivided || scope.executor.size === 0) return undefined;
    const refs = this.plan(scope, Infinity).then(
      ({ request, parts }) =>
        parts.map((part) => ({ module: PART_THREAD, export: 'foldPart', args: { ...request, part, fold } })),
      (error: unknown) => {
        if (codeOf(error) === 'MILLRACE_ABORTED') return [];
        throw error;
      },
    );
    // A run that is cancelled has let go of the file when it is over.
    scope.track(refs);
    return refs;
  }

  protected override positionOf(lineage: Lineage): SourcePosition | undefined {
    const point = this.rows?.pointBefore(lineage - this.from);
    if (point === undefined) return undefined;
    const { items, start, line, columns } = point;
    return { lineage: this.from + items, start, line, columns };
  }

  protected override async reader(scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    const { executor } = scope;
    // A resumed run goes on from a place, which one reader does at once.
    if (this.isDivided && executor.size > 0 && scope.root.watermark === 0) {
      const planned = await this.plan(scope, READ_PART_BYTES).catch(() => undefined);
      // A file that cannot be planned is read as one, which gives what can be read before it says what is wrong.
      if (planned !== undefined)
        return readParts(executor, planned.request, planned.parts, this.countOf(executor.size));
    }
    const point = positionIn(scope) as (SourcePosition & CsvPoint) | undefined;
    this.from = point?.lineage ?? 0;
    const reader = await openCsvReader({
      ...readerOptions(this.csv),
      signal: scope.signal,
      ...(point === undefined
        ? {}
        : {
            byteRange: { start: point.start, end: Number.MAX_SAFE_INTEGER },
            startLine: point.line,
            headerNames: point.columns,
          }),
    });
    this.rows = reader;
    const { size } = await stat(this.csv.path);
    return new RecordReader(reader, this.csv, size);
  }

  private get isDivided(): boolean {
    const { partitions = 1 } = this.csv;
    return partitions === 'auto' ? indivisible(this.csv) === undefined : partitions > 1;
  }

  private countOf(threads: number): number {
    const { partitions = 1 } = this.csv;
    return partitions === 'auto' ? threads : partitions;
  }

  /** As many parts as were asked for, or more, where one would be larger than `mostBytes`. */
  private async plan(
    scope: TaskScope,
    mostBytes: number,
  ): Promise<{ request: PartRequest; parts: readonly CsvPart[] }> {
    const { path, schema, missing } = this.csv;
    const reading = readerOptions(this.csv);
    const size = await stat(path).then(
      (facts) => facts.size,
      () => 0,
    );
    const partBytes = Math.min(mostBytes, Math.ceil(size / this.countOf(scope.executor.size)));
    const draining = new AbortController();
    scope.whenEnding(() => {
      draining.abort();
    });
    const signal = AbortSignal.any([scope.signal, draining.signal]);
    const { columns, parts } = await planParts({ ...reading, signal }, size, partBytes);
    return { request: { reading, headerNames: columns, schema: homeOf(schema)?.ref, missing }, parts };
  }
}

/** Small enough that what the streams hold ahead is a part each. */
const READ_PART_BYTES = 1024 * 1024;

function checkDivisible<Out>(options: CsvSourceOptions<Out>): void {
  const { path, partitions = 1, schema } = options;
  if (partitions === 1) return;
  const why =
    schema !== undefined && homeOf(schema) === undefined
      ? "threads cannot import its schema. Wrap it: export const Row = threadSchema(import.meta.url, 'Row', …)"
      : partitions === 'auto'
        ? undefined
        : indivisible(options);
  if (why === undefined) return;
  throw new MillraceError('MILLRACE_INVALID_OPTION', `${path} cannot be read in partitions: ${why}`);
}

/** Why a file cannot be read from the middle, if it cannot. */
function indivisible({ path, encoding }: Pick<CsvReaderOptions, 'path' | 'encoding'>): string | undefined {
  if (encoding === 'utf16le') return 'UTF-16 is not read from the middle of a file';
  return isPacked(path) ? 'a .gz file is not read from the middle' : undefined;
}

/** Rows become records. */
class RecordReader<Out> implements Reader<Out | Skip | Rejected> {
  private readonly rows: CsvReader;
  private readonly options: CsvSourceOptions<Out>;
  private readonly size: number;
  private isOver = false;

  /** @param size of the file, in bytes. */
  constructor(rows: CsvReader, options: CsvSourceOptions<Out>, size: number) {
    this.rows = rows;
    this.options = options;
    this.size = size;
  }

  share(): number | undefined {
    const { bytesBefore } = this.rows;
    if (this.isOver) return 1;
    if (bytesBefore === undefined || this.size === 0) return undefined;
    // A file that grows while it is read is never read more than whole.
    return Math.min(1, bytesBefore / this.size);
  }

  async read(max: number): Promise<readonly (Out | Skip | Rejected)[] | null> {
    const items = await this.rows.read(max);
    if (items === null) this.isOver = true;
    return items === null ? null : items.map((item) => recordOf(item, this.options));
  }

  close(): Promise<void> {
    return this.rows.close();
  }
}

function readerOptions({
  path,
  columns,
  delimiter,
  header,
  encoding,
  maxRowBytes,
}: Omit<CsvSourceOptions<unknown>, keyof SourceOptions<unknown>>): CsvReaderOptions {
  return {
    path,
    ...(columns === undefined ? {} : { columns }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(header === undefined ? {} : { header }),
    ...(encoding === undefined ? {} : { encoding }),
    ...(maxRowBytes === undefined ? {} : { maxRowBytes }),
  };
}
