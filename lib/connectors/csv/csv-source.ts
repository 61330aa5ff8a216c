/**
 * CSV files as a source: rows are pulled while there is room and typed by a schema. Every error names the file and the
 * line.
 *
 * Guarantees: memory does not depend on the size of the file. The failure policy ends a row that cannot be read or does
 * not fit the schema; the other rows continue. A file that cannot be read as declared fails the run with one sentence.
 */
import {
  checkOptions,
  connectorSource,
  count,
  describeThrown,
  either,
  flag,
  names,
  oneOf,
  MillraceError,
  Rejected,
  Skip,
  SOURCE_RULES,
  standardSchema,
  text,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type OptionRules,
  type Schema,
  type SourceOptions,
  type SourcePartition,
  type SourcePast,
  type SourcePosition,
  type SourceTask,
  taskOptionsOf,
} from '../../connect/index.js';
import type { FoldedParts, FoldRequest } from '../../connect/parts.js';
import { fileStore, pathOrFiles, type FileSelection } from '../files/file-selection.js';
import { FileSource, isStream, nameOf } from '../files/file-source.js';
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
import { openCsvReader, type CsvItem, type CsvPoint, type CsvReader, type CsvReaderOptions } from './csv-reader.js';

/** The fields of a row by column name. */
export type CsvFields = Record<string, string>;

/** Options of `csvSource`: the file, its format, and the types of its rows. */
export interface CsvSourceOptions<Out>
  extends
    SourceOptions<Out>,
    CsvFormatOptions,
    Pick<CsvReaderOptions, 'header' | 'encoding' | 'maxRowBytes' | 'store'> {
  /**
   * A .csv file, or a .csv.gz file, which is decompressed while it is read; or several, as `files('in/*.csv')`. Each of
   * several files has its own header. An `s3://` URL is a file of an object store.
   */
  readonly path: string | FileSelection;
  /**
   * The required columns. For a file without a header, or whose header is replaced: all columns, in order, where ''
   * leaves a column out.
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
   * `schema` must be one that threads can load (`threadSchema`). A .gz file, or one in UTF-16 or an Asian encoding,
   * cannot be read from the middle: a number is refused, and 'auto' reads the file in one part, as does a run without
   * threads. A pipe is read in one part. A thread that dies fails the run. Default 1.
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
  path: pathOrFiles,
  store: fileStore,
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
 * @example
 * const Member = z.object({ id: z.coerce.number(), name: z.string() });
 * csvSource({ path: 'members.csv', columns: ['id', 'name'], schema: Member })
 */
export function csvSource<Out = CsvFields>(options: CsvSourceOptions<Out>): SourceTask<Out> {
  checkOptions('a csvSource', options, RULES, ['path']);
  return connectorSource(new CsvSource(options), taskOptionsOf(options));
}

/** CSV files as a `Source`. `csvSource` makes it a task. */
export class CsvSource<Out> extends FileSource<CsvItem, Out> {
  readonly kind = 'csv source';
  readonly checkpointFormat = 'csv source';
  private readonly csv: CsvSourceOptions<Out>;
  /** The one file; undefined if there are several. */
  private readonly file: DividedFile | undefined;

  constructor(options: CsvSourceOptions<Out>) {
    super(options.path, options.store);
    this.csv = options;
    const { path, schema, missing, partitions, partitionBy } = options;
    resolveReaderOptions(this.readerOf(nameOf(path)));
    if (typeof path === 'string') {
      this.file = new DividedFile({ reading: this.readerOf(path), schema, missing, partitions, partitionBy });
    } else if (partitions !== undefined || partitionBy !== undefined) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        'Expected `partitions` and `partitionBy` of a csvSource only for one file: threads read several files no faster. Leave them out',
      );
    }
  }

  get usesThreads(): boolean {
    return this.file?.isDivided ?? false;
  }

  override get dataset(): Dataset {
    const { columns } = this.csv;
    return { ...super.dataset, ...(columns && { fields: columns }) };
  }

  foldParts(fold: FoldRequest, context: ConnectorContext): FoldedParts | undefined {
    return this.file?.isDivided === true && context.executor.size > 0 && !isStream(nameOf(this.csv.path))
      ? this.file.foldedParts(fold, context)
      : undefined;
  }

  override async open(
    context: ConnectorContext,
    past: SourcePast | undefined,
  ): Promise<readonly SourcePartition<Out>[]> {
    const { executor } = context;
    // A resumed run continues from a place in the file, which a single reader can do without planning.
    const isWhole = past === undefined || past.from === 0;
    if (this.file?.isDivided === true && executor.size > 0 && isWhole && !isStream(nameOf(this.csv.path))) {
      const planned = await this.file.planRanges(context, READ_PART_BYTES).catch(() => undefined);
      // A file that cannot be planned is read in one part, which returns the readable rows before the error.
      if (planned !== undefined)
        return [readParts(executor, planned.request, planned.parts, this.file.countOf(executor.size))];
    }
    return super.open(context, past);
  }

  protected openFile(path: string, at: SourcePosition | undefined, signal: AbortSignal): Promise<CsvReader> {
    return openCsvReader(this.readerAt(path, at, signal));
  }

  protected recordOf(item: CsvItem, path: string): Out | Skip | Rejected {
    return recordOf(item, { ...this.csv, path });
  }

  protected async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    for await (const { item, index } of findRows(this.readerOf(path), key)) {
      const left = this.recordOf(item, path);
      const text = 'error' in item ? item.text : JSON.stringify(item.values);
      const fate =
        left instanceof Skip
          ? `skipped: ${left.reason}`
          : left instanceof Rejected
            ? `given up: ${describeThrown(left.error)}`
            : 'read';
      yield {
        where: `${path}, line ${item.line}`,
        what: `${fate}: ${text}`,
        lineage: index,
        isOver: fate !== 'read',
      };
    }
  }

  private readerOf(path: string): CsvReaderOptions {
    const given = READER_OPTIONS.filter((name) => this.csv[name] !== undefined).map((name) => [name, this.csv[name]]);
    return { path, ...(Object.fromEntries(given) as Omit<CsvReaderOptions, 'path'>) };
  }

  /** The options of a reader that begins at this position. */
  private readerAt(path: string, at: SourcePosition | undefined, signal: AbortSignal): CsvReaderOptions {
    const point = at as (SourcePosition & CsvPoint) | undefined;
    const options = { ...this.readerOf(path), signal };
    if (point === undefined) return options;
    return {
      ...options,
      byteRange: { start: point.start, end: Number.MAX_SAFE_INTEGER },
      startLine: point.line,
      headerNames: point.columns,
      // Positions of earlier versions have no delimiter.
      delimiter: (point as Partial<CsvPoint>).delimiter ?? this.csv.delimiter ?? ',',
    };
  }
}

/** Small enough that each stream reads only one part ahead. */
const READ_PART_BYTES = 1024 * 1024;

/** The options that are passed to the reader. */
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
  'store',
] as const satisfies readonly (keyof CsvReaderOptions)[];
