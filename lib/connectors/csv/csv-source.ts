/**
 * CSV files as a source: rows pulled as there is room, typed by a schema, with the file and line in every refusal.
 *
 * Promises: memory does not depend on the size of the file; a row that cannot be read or does not fit the schema ends
 * alone, by the failure policy; a file that cannot be read as declared fails the run with one sentence.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Dataset } from '../../model/events.js';
import { holdClock, type Clock } from '../../model/clock.js';
import { describeThrown } from '../../model/errors.js';
import type { Json } from '../../model/checkpoint.js';
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
} from '../../options/options.js';
import type { TaskScope } from '../../stream/task-scope.js';
import { Rejected, Skip, type Lineage } from '../../model/record.js';
import type { Schema } from '../../options/schema.js';
import type { TouchedFile } from '../../model/touched-file.js';
import type { Reader } from '../../stream/reader.js';
import type { FoundRecord } from '../../tasks/task.js';
import {
  positionIn,
  SOURCE_RULES,
  SourceTask,
  type SourceOptions,
  type SourcePosition,
} from '../../tasks/source-task.js';
import { DividedFile } from './divided-file.js';
import { readParts } from './parts-reader.js';
import { recordOf } from './row-record.js';
import type { FoldedParts, FoldRequest } from '../../tasks/source-parts.js';
import { identifyFile } from '../../storage/identify-file.js';
import { touchedFile } from '../../storage/touched-file.js';
import { csvDelimiter, resolveReaderOptions } from './csv-reader-options.js';
import { findRows } from './find-rows.js';
import { openCsvReader, type CsvPoint, type CsvReader, type CsvReaderOptions } from './csv-reader.js';

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
  /**
   * For `partitions` in front of an aggregate that threads fold: the column whose text is the key of that aggregate. Each
   * thread then reads the whole file and takes the rows whose key hashes to it (`partitionOf`), so that each key has one
   * state in one thread, and nothing is left to merge: less memory, and quicker with up to about eight threads. A key that
   * is not the text of its column fails the run. Without it each thread folds a range of the file.
   */
  readonly partitionBy?: string;
}

const RULES: OptionRules<CsvSourceOptions<unknown>> = {
  ...SOURCE_RULES,
  path: text,
  columns: names,
  schema: standardSchema,
  missing: oneOf('keep', 'skip'),
  partitions: either(count(), oneOf('auto')),
  partitionBy: text,
  delimiter: csvDelimiter,
  header: flag,
  encoding: oneOf('utf8', 'utf16le', 'latin1'),
  maxRowBytes: count(),
};

/**
 * Reads a CSV file, one record a row, in memory that does not depend on its size. A row that cannot
 * be read or does not fit the schema ends alone, by the failure policy. Throws
 * MILLRACE_INVALID_OPTION for options that do not fit, alone or together.
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
  private readonly file: DividedFile;
  private rows: CsvReader | undefined;
  /** The number of the first row that `rows` gives. */
  private from: Lineage = 0;

  constructor(options: CsvSourceOptions<Out>) {
    super(options);
    this.csv = options;
    resolveReaderOptions(readerOptions(options));
    const { schema, missing, partitions, partitionBy } = options;
    this.file = new DividedFile({ reading: readerOptions(options), schema, missing, partitions, partitionBy });
  }

  override get usesExecutor(): boolean {
    return this.file.isDivided;
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
    return { namespace: 'file', name: resolve(path), ...(columns && { fields: columns }) };
  }

  override files(): readonly TouchedFile[] {
    return [touchedFile(this.csv.path, 'read')];
  }

  override identify(): Promise<Json> {
    return identifyFile(this.csv.path);
  }

  override foldParts(fold: FoldRequest, scope: TaskScope): FoldedParts | undefined {
    return this.file.isDivided && scope.executor.size > 0 ? this.file.foldedParts(fold, scope) : undefined;
  }

  protected override positionOf(lineage: Lineage): SourcePosition | undefined {
    const point = this.rows?.pointBefore(lineage - this.from);
    if (point === undefined) return undefined;
    const { rows, start, line, columns } = point;
    return { lineage: this.from + rows, start, line, columns };
  }

  protected override async reader(scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
    const { executor } = scope;
    // A resumed run goes on from a place, which one reader does at once.
    if (this.file.isDivided && executor.size > 0 && scope.root.watermark === 0) {
      const planned = await this.file.planRanges(scope, READ_PART_BYTES).catch(() => undefined);
      // A file that cannot be planned is read as one, which gives what can be read before it says what is wrong.
      if (planned !== undefined)
        return readParts(executor, planned.request, planned.parts, this.file.countOf(executor.size));
    }
    const point = positionIn(scope) as (SourcePosition & CsvPoint) | undefined;
    this.from = point?.lineage ?? 0;
    const opening = openCsvReader({
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
    const reader = await holdClock(scope.clock, opening);
    this.rows = reader;
    const { size } = await holdClock(scope.clock, stat(this.csv.path));
    return new RecordReader(reader, this.csv, size, scope.clock);
  }
}

/** Small enough that what the streams hold ahead is a part each. */
const READ_PART_BYTES = 1024 * 1024;

/** Rows become records. */
class RecordReader<Out> implements Reader<Out | Skip | Rejected> {
  private readonly rows: CsvReader;
  private readonly options: CsvSourceOptions<Out>;
  private readonly size: number;
  private readonly clock: Clock;
  private isOver = false;

  /** @param size of the file, in bytes. */
  constructor(rows: CsvReader, options: CsvSourceOptions<Out>, size: number, clock: Clock) {
    this.rows = rows;
    this.options = options;
    this.size = size;
    this.clock = clock;
  }

  share(): number | undefined {
    const { bytesBefore } = this.rows;
    if (this.isOver) return 1;
    if (bytesBefore === undefined || this.size === 0) return undefined;
    // A file that grows while it is read is never read more than whole.
    return Math.min(1, bytesBefore / this.size);
  }

  async read(max: number): Promise<readonly (Out | Skip | Rejected)[] | null> {
    const items = await holdClock(this.clock, this.rows.read(max));
    if (items === null) this.isOver = true;
    return items === null ? null : items.map((item) => recordOf(item, this.options));
  }

  close(): Promise<void> {
    return holdClock(this.clock, this.rows.close());
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
