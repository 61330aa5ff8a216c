/**
 * CSV files as a source: rows pulled as there is room, typed by a schema, with the file and line in every refusal.
 *
 * Promises: memory does not depend on the size of the file; a row that cannot be read or does not fit the schema ends
 * alone, by the failure policy; a file that cannot be read as declared fails the run with one sentence.
 */
import { stat } from 'node:fs/promises';
import { MillraceError, describeThrown } from '../core/errors.js';
import type { Json } from '../core/checkpoint.js';
import type { TaskScope } from '../core/ports.js';
import { Rejected, skip, Skip, type Lineage } from '../core/record.js';
import { describeIssues, type Schema } from '../core/schema.js';
import type { Reader } from '../stream/reader.js';
import type { FoundRecord } from '../tasks/task.js';
import { positionIn, SourceTask, type SourceOptions, type SourcePosition } from '../tasks/source-task.js';
import { identifyFile } from '../storage/identify-file.js';
import { findRows } from './csv/find-rows.js';
import { openCsvReader, type CsvItem, type CsvPoint, type CsvReader, type CsvReaderOptions } from './csv/csv-reader.js';

/** The fields of a row by column name. */
export type CsvFields = Record<string, string>;

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
}

/** @example csvSource({ path: 'members.csv', columns: ['id', 'name'], schema: z.object({ id: z.coerce.number(), name: z.string() }) }) */
export function csvSource<Out = CsvFields>(options: CsvSourceOptions<Out>): SourceTask<Out> {
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
      yield { where: `${this.csv.path}, line ${item.line}`, what: `${fate}: ${text}`, lineage: index };
    }
  }

  override identify(): Promise<Json> {
    return identifyFile(this.csv.path);
  }

  protected override positionOf(lineage: Lineage): SourcePosition | undefined {
    const point = this.rows?.pointBefore(lineage - this.from);
    if (point === undefined) return undefined;
    const { items, start, line, columns } = point;
    return { lineage: this.from + items, start, line, columns };
  }

  protected override async reader(scope: TaskScope): Promise<Reader<Out | Skip | Rejected>> {
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

/** What a row is to the run. */
function recordOf<Out>(item: CsvItem, options: CsvSourceOptions<Out>): Out | Skip | Rejected {
  if ('error' in item) return new Rejected({ line: item.line, text: item.text }, item.error);
  const { columns, missing, schema, path } = options;
  if (missing === 'skip') {
    const empty = columns?.find((column) => item.values[column] === '');
    if (empty !== undefined) return skip(`missing ${empty}`);
  }
  if (schema === undefined) return item.values as Out;
  const result = schema['~standard'].validate(item.values);
  if (result instanceof Promise) {
    throw new MillraceError('MILLRACE_INVALID_OPTION', `The schema of ${path} is asynchronous: use a synchronous one`);
  }
  if (result.issues === undefined) return result.value;
  const error = new MillraceError(
    'MILLRACE_CSV',
    `${path}, line ${item.line}: ${describeIssues(result.issues, item.values)}`,
  );
  return new Rejected({ line: item.line, ...item.values }, error);
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
