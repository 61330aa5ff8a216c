/**
 * CSV files as a source: rows are pulled while there is room and typed by a schema. Every error names the file and the
 * line.
 *
 * Guarantees: memory does not depend on the size of the file. The failure policy ends a row that cannot be read or does
 * not fit the schema; the other rows continue. A file that cannot be read as declared fails the run with one sentence.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  either,
  flag,
  holdClock,
  names,
  oneOf,
  Rejected,
  Skip,
  SOURCE_RULES,
  standardSchema,
  text,
  type Clock,
  type ConnectorContext,
  type ConnectorSourceOptions,
  type Dataset,
  type FoundRecord,
  type Json,
  type Lineage,
  type OptionRules,
  type Schema,
  type Source,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourcePosition,
  type SourceRead,
  type SourceTask,
  type TouchedFile,
} from '../../connect/index.js';
import { identifyFile, touchedFile } from '../../connect/files.js';
import type { FoldedParts, FoldRequest } from '../../connect/parts.js';
import { DividedFile } from './divided-file.js';
import { readParts } from './parts-reader.js';
import { recordOf } from './row-record.js';
import {
  csvComment,
  csvDelimiter,
  csvEscape,
  csvQuote,
  resolveReaderOptions,
  type CsvFormatOptions,
} from './csv-reader-options.js';
import { findRows } from './find-rows.js';
import { openCsvReader, type CsvPoint, type CsvReader, type CsvReaderOptions } from './csv-reader.js';

/** The fields of a row by column name. */
export type CsvFields = Record<string, string>;

/** Options of `csvSource`: the file, its format, and the types of its rows. */
export interface CsvSourceOptions<Out>
  extends SourceOptions<Out>, CsvFormatOptions, Pick<CsvReaderOptions, 'header' | 'encoding' | 'maxRowBytes'> {
  /** A .csv file, or a .csv.gz file, which is decompressed while it is read. */
  readonly path: string;
  /**
   * The required columns. For a file without a header, or whose header is replaced: all columns, in order, where '' leaves
   * a column out.
   */
  readonly columns?: readonly string[];
  /** Types the fields of a row. The result of the validation is the record. Default: the fields as strings. */
  readonly schema?: Schema<Out>;
  /**
   * What happens to a row with an empty field in one of `columns`: 'keep' passes it to the schema (default), 'skip'
   * skips it with the reason `missing <column>`.
   */
  readonly missing?: 'keep' | 'skip';
  /**
   * The number of parts in which threads read the file; 'auto': one per thread of the run. Faster for large files (tens
   * of MB), especially before an aggregate that threads can fold, because then only its states leave the threads. A
   * `schema` must be one that threads can load (`threadSchema`). A .gz file, or one in UTF-16 or an Asian encoding, cannot
   * be read from the middle: a number is refused, and 'auto' reads the file in one part, as does a run without threads. A thread that dies fails
   * the run. Default 1.
   */
  readonly partitions?: number | 'auto';
  /**
   * For `partitions` before an aggregate that threads fold: the column whose text is the key of that aggregate. Each
   * thread then reads the whole file and keeps the rows whose key hashes to it (`partitionOf`). So each key has one
   * state in one thread and nothing is merged: this needs less memory, and is faster with up to about eight threads. A
   * key that is not the text of its column fails the run. Default: each thread folds a range of the file.
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
  quote: csvQuote,
  escape: csvEscape,
  comment: csvComment,
  fromLine: count(),
  trim: flag,
  relaxQuotes: flag,
  relaxColumnCount: flag,
  header: either(flag, oneOf('replace')),
  // Checked by `resolveReaderOptions`, which suggests the nearest label.
  encoding: text,
  maxRowBytes: count(),
};

/**
 * Reads a CSV file, one record per row, in memory that does not depend on its size. The failure policy ends a row that
 * cannot be read or does not fit the schema; the other rows continue. Throws MILLRACE_INVALID_OPTION for options that
 * do not fit, alone or together.
 *
 * @example csvSource({ path: 'members.csv', columns: ['id', 'name'], schema: z.object({ id: z.coerce.number(), name: z.string() }) })
 */
export function csvSource<Out = CsvFields>(options: CsvSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a csvSource', options, RULES, ['path']);
  return connectorSource(new CsvSource(options), optionsOf(options));
}

/** A CSV file as a `Source`. `csvSource` makes a task of it. */
export class CsvSource<Out> implements Source<Out> {
  readonly kind = 'csv source';
  private readonly csv: CsvSourceOptions<Out>;
  private readonly file: DividedFile;

  constructor(options: CsvSourceOptions<Out>) {
    this.csv = options;
    resolveReaderOptions(readerOptions(options));
    const { schema, missing, partitions, partitionBy } = options;
    this.file = new DividedFile({ reading: readerOptions(options), schema, missing, partitions, partitionBy });
  }

  get usesThreads(): boolean {
    return this.file.isDivided;
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
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

  get dataset(): Dataset {
    const { path, columns } = this.csv;
    return { namespace: 'file', name: resolve(path), ...(columns && { fields: columns }) };
  }

  files(): readonly TouchedFile[] {
    return [touchedFile(this.csv.path, 'read')];
  }

  identify(): Promise<Json> {
    return identifyFile(this.csv.path);
  }

  foldParts(fold: FoldRequest, context: ConnectorContext): FoldedParts | undefined {
    return this.file.isDivided && context.executor.size > 0 ? this.file.foldedParts(fold, context) : undefined;
  }

  async open(context: ConnectorContext, past: SourcePast | undefined): Promise<readonly SourcePartition<Out>[]> {
    const { executor, signal, clock } = context;
    // A resumed run continues from a place in the file, which a single reader can do without planning.
    if (this.file.isDivided && executor.size > 0 && (past === undefined || past.from === 0)) {
      const planned = await this.file.planRanges(context, READ_PART_BYTES).catch(() => undefined);
      // A file that cannot be planned is read in one part, which returns the readable rows before the error.
      if (planned !== undefined)
        return [readParts(executor, planned.request, planned.parts, this.file.countOf(executor.size))];
    }
    const point = past?.position as (SourcePosition & CsvPoint) | undefined;
    const opening = openCsvReader({
      ...readerOptions(this.csv),
      signal,
      ...(point === undefined
        ? {}
        : {
            byteRange: { start: point.start, end: Number.MAX_SAFE_INTEGER },
            startLine: point.line,
            headerNames: point.columns,
            // Positions of earlier versions have none.
            delimiter: (point as Partial<CsvPoint>).delimiter ?? this.csv.delimiter ?? ',',
          }),
    });
    const rows = await holdClock(clock, opening);
    const { size } = await holdClock(clock, stat(this.csv.path));
    return [new RowsOfFile(rows, this.csv, { from: point?.lineage ?? 0, size, clock })];
  }
}

/** Small enough that each stream reads only one part ahead. */
const READ_PART_BYTES = 1024 * 1024;

interface RowsOfFileParts {
  /** The number of the first row that is read in this run. */
  readonly from: Lineage;
  /** The size of the file, in bytes. */
  readonly size: number;
  readonly clock: Clock;
}

/** Reads the rows of a file in one part and makes records of them. */
class RowsOfFile<Out> implements SourcePartition<Out> {
  readonly partition = 0;
  readonly from: Lineage;
  private readonly rows: CsvReader;
  private readonly options: CsvSourceOptions<Out>;
  private readonly size: number;
  private readonly clock: Clock;
  /** The number of rows that were read. */
  private count = 0;
  private isOver = false;

  constructor(rows: CsvReader, options: CsvSourceOptions<Out>, { from, size, clock }: RowsOfFileParts) {
    this.rows = rows;
    this.options = options;
    this.from = from;
    this.size = size;
    this.clock = clock;
  }

  share(): number | undefined {
    const { bytesBefore } = this.rows;
    if (this.isOver) return 1;
    if (bytesBefore === undefined || this.size === 0) return undefined;
    // A file may grow while it is read, so the share is limited to 1.
    return Math.min(1, bytesBefore / this.size);
  }

  async read(max: number): Promise<SourceRead<Out> | null> {
    const items = await holdClock(this.clock, this.rows.read(max));
    if (items === null) {
      this.isOver = true;
      return null;
    }
    this.count += items.length;
    const position = this.position();
    return {
      records: items.map((item) => recordOf(item, this.options)),
      ...(position === undefined ? {} : { position }),
    };
  }

  close(): Promise<void> {
    return holdClock(this.clock, this.rows.close());
  }

  /** The position of the block of the file that contains the next row, or of an earlier block. */
  private position(): SourcePosition | undefined {
    const point = this.rows.pointBefore(this.count);
    if (point === undefined) return undefined;
    const { rows, start, line, columns, delimiter } = point;
    return { lineage: this.from + rows, start, line, columns, delimiter };
  }
}

function optionsOf<Out>({
  description,
  onFailure,
  input,
  output,
  replayable,
}: ConnectorSourceOptions<Out>): ConnectorSourceOptions<Out> {
  return {
    ...(description === undefined ? {} : { description }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(input === undefined ? {} : { input }),
    ...(output === undefined ? {} : { output }),
    ...(replayable === undefined ? {} : { replayable }),
  };
}

/** The options that the reader has, too. */
const READER_OPTIONS = [
  'columns',
  'delimiter',
  'quote',
  'escape',
  'comment',
  'fromLine',
  'trim',
  'relaxQuotes',
  'relaxColumnCount',
  'header',
  'encoding',
  'maxRowBytes',
] as const satisfies readonly (keyof CsvReaderOptions)[];

function readerOptions(options: Omit<CsvSourceOptions<unknown>, keyof SourceOptions<unknown>>): CsvReaderOptions {
  const given = READER_OPTIONS.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  return { path: options.path, ...(Object.fromEntries(given) as Omit<CsvReaderOptions, 'path'>) };
}
