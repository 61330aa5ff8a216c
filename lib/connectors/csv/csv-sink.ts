/**
 * CSV files as a sink: one row per record, in root order, so that the same input produces the same bytes.
 *
 * Guarantees: rows are written to `path.part`, which is renamed to `path` only when the whole run has completed, so a
 * reader never sees a partial result (see files/result-file for links, mounts, devices and pipes). A record that cannot be made a row ends by the failure policy, without other
 * records.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  callback,
  checkOptions,
  connectorSink,
  describeValue,
  flag,
  holdClock,
  MillraceError,
  names,
  oneOf,
  TASK_RULES,
  text,
  type Clock,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type OptionRules,
  type RunOutcome,
  type Sink,
  type SinkPast,
  type SinkRows,
  type Task,
  type TaskOptions,
  type TouchedFile,
  taskOptionsOf,
} from '../../connect/index.js';
import { resultPathOf, touchedFile, type FilePoint } from '../../connect/files.js';
import { csvDelimiter } from './csv-reader-options.js';
import { findRows } from './find-rows.js';
import { assertResultPlace, filesOnTheWayTo } from '../files/result-file.js';
import { openCsvWriter, type CsvWriter, type CsvWriterOptions } from './csv-writer.js';

/** A value that a field can represent. */
export type CsvValue = string | number | bigint | boolean | Date | null | undefined;

/** Options of `csvSink`: where the file goes, its columns, and how a record becomes a row. */
export interface CsvSinkOptions<In, Column extends string>
  extends TaskOptions<In, In>, Pick<CsvWriterOptions, 'delimiter' | 'lineEnd' | 'escapeFormulas'> {
  /**
   * The path of the result. A `.csv.gz` file is compressed while it is written. A link is followed. An existing table is
   * replaced; a file of another kind (neither named like a table nor with this header) is refused. To a device or a pipe
   * the rows are written directly, and the run cannot be resumed.
   */
  readonly path: string;
  /** The columns, in order: the header. */
  readonly columns: readonly Column[];
  /** The fields of a record. Default: the record's own properties. */
  readonly row?: (record: In) => { readonly [Key in Column]: CsvValue };
  /** Writes in root order. Default true. */
  readonly ordered?: boolean;
}

const RULES: OptionRules<CsvSinkOptions<unknown, string>> = {
  ...TASK_RULES,
  path: text,
  columns: names,
  row: callback,
  ordered: flag,
  delimiter: csvDelimiter,
  lineEnd: oneOf('\n', '\r\n'),
  escapeFormulas: flag,
};

/**
 * Writes one CSV row per record to `path.part`, which is renamed to `path` only when the run has completed. Throws
 * MILLRACE_INVALID_OPTION if `columns` is empty or `row` is not a function. The failure policy ends a record that
 * cannot be made a row; other records continue.
 *
 * @example csvSink({ path: 'offers.csv', columns: ['id', 'offer'], row: (o: Offer) => ({ id: o.id, offer: o.name }) })
 */
export function csvSink<In, const Column extends string>(options: CsvSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a csvSink', options, RULES, ['path', 'columns']);
  return connectorSink(new CsvSink(options), taskOptionsOf(options));
}

/** A CSV file as a `Sink`. `csvSink` makes a task of it. */
export class CsvSink<In, Column extends string> implements Sink<In, string> {
  readonly kind = 'csv sink';
  private readonly csv: CsvSinkOptions<In, Column>;
  private writer: CsvWriter | undefined;
  private clock: Pick<Clock, 'hold'> = {};
  private task = '';

  constructor(options: CsvSinkOptions<In, Column>) {
    if (!Array.isArray(options.columns) || options.columns.length === 0) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`columns\` of a csvSink to name at least one column, got ${describeValue(options.columns)}`,
      );
    }
    this.csv = options;
  }

  get dataset(): Dataset {
    return { namespace: 'file', name: resolve(this.csv.path), fields: this.csv.columns };
  }

  files(): readonly TouchedFile[] {
    const { path } = this.csv;
    return [touchedFile(path, 'write'), ...filesOnTheWayTo(path).map((part) => touchedFile(part, 'write', path))];
  }

  async *find(key: string): AsyncGenerator<FoundRecord> {
    const { path, columns, delimiter } = this.csv;
    // An unfinished result is in the file beside it. A device or a pipe has nothing to read.
    const end = resultPathOf(path);
    const file = [path, `${end}.part`].find((name) => statSync(name, { throwIfNoEntry: false })?.isFile() === true);
    if (end === undefined || file === undefined) return;
    const options = { path: file, columns, ...(delimiter === undefined ? {} : { delimiter }) };
    for await (const { item } of findRows(options, key)) {
      yield { where: `${file}, line ${item.line}`, what: 'error' in item ? item.text : JSON.stringify(item.values) };
    }
  }

  check(): Promise<void> {
    return assertResultPlace(this.csv.path);
  }

  async open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    const { task, clock, signal } = context;
    const { path, columns, delimiter, lineEnd, escapeFormulas } = this.csv;
    this.clock = clock;
    this.task = task;
    const opening = openCsvWriter({
      path,
      columns,
      signal,
      from: past?.prepared as FilePoint | undefined,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(lineEnd === undefined ? {} : { lineEnd }),
      ...(escapeFormulas === undefined ? {} : { escapeFormulas }),
    });
    this.writer = await holdClock(clock, opening);
    if (this.writer.isStream) {
      context.cannotResume(`'${task}' writes to ${path}, a device or a pipe, from which no row can be taken back`);
    }
  }

  encode(record: In): string {
    const { row } = this.csv;
    const fields: unknown = row === undefined ? record : row(record);
    if (typeof fields === 'object' && fields !== null) {
      return (this.writer as CsvWriter).encode(fields as Record<string, unknown>);
    }
    throw new MillraceError(
      'MILLRACE_INVALID_OUTPUT',
      `Expected a row of '${this.task}' to be an object with its columns, got ${describeValue(fields)}`,
    );
  }

  write({ rows }: SinkRows<string>): void | Promise<void> {
    const writing = this.writer?.writeText(rows);
    return writing && holdClock(this.clock, writing);
  }

  prepare(): Promise<FilePoint | undefined> {
    return holdClock(this.clock, (this.writer as CsvWriter).mark());
  }

  async close(outcome: RunOutcome): Promise<void> {
    const { writer } = this;
    this.writer = undefined;
    if (writer === undefined) return;
    await holdClock(this.clock, outcome === 'completed' ? writer.finish() : writer.abandon());
  }
}
