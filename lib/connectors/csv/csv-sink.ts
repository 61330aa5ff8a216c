/**
 * CSV files as a sink: one row per record, in root order, so that the same input produces the same bytes.
 *
 * Guarantees: those of `FileSink`. The failure policy ends a record that cannot be converted to a row; other records
 * continue.
 */
import {
  callback,
  checkOptions,
  connectorSink,
  describeValue,
  flag,
  MillraceError,
  names,
  oneOf,
  TASK_RULES,
  text,
  fieldsOfRow,
  UnseenColumns,
  type ConnectorContext,
  type Dataset,
  type FoundRecord,
  type Json,
  type OptionRules,
  type RunOutcome,
  type SinkPast,
  type Task,
  type TaskOptions,
  taskOptionsOf,
} from '../../connect/index.js';
import { csvDelimiter } from './csv-reader-options.js';
import { findRows } from './find-rows.js';
import { fileStore } from '../files/file-selection.js';
import { FileSink } from '../files/file-sink.js';
import { openCsvWriter, type CsvWriter, type CsvWriterOptions } from './csv-writer.js';

/** A value that a field can represent. */
export type CsvValue = string | number | bigint | boolean | Date | null | undefined;

/** Options of `csvSink`: where the file goes, its columns, and how a record becomes a row. */
export interface CsvSinkOptions<In, Column extends string>
  extends TaskOptions<In, In>, Pick<CsvWriterOptions, 'store' | 'delimiter' | 'lineEnd' | 'escapeFormulas'> {
  /**
   * The path of the result. A `.csv.gz` file is compressed while it is written. A link is followed. An existing table
   * is replaced; a file of another kind (neither named like a table nor with this header) is refused. To a device or a
   * pipe the rows are written directly, and the run cannot be resumed. An `s3://` URL is a file of an object store.
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
  store: fileStore,
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
 * cannot be converted to a row; other records continue.
 *
 * @example csvSink({ path: 'offers.csv', columns: ['id', 'offer'], row: (o: Offer) => ({ id: o.id, offer: o.name }) })
 */
export function csvSink<In, const Column extends string>(options: CsvSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a csvSink', options, RULES, ['path', 'columns']);
  return connectorSink(new CsvSink(options), taskOptionsOf(options));
}

/** A CSV file as a `Sink`. `csvSink` makes it a task. */
export class CsvSink<In, Column extends string> extends FileSink<In, CsvWriter> {
  readonly kind = 'csv sink';
  readonly checkpointFormat = 'csv sink';
  private readonly csv: CsvSinkOptions<In, Column>;
  private task = '';
  private unseen = new UnseenColumns([]);
  private context: ConnectorContext | undefined;

  constructor(options: CsvSinkOptions<In, Column>) {
    super(options.path, options.store);
    if (!Array.isArray(options.columns) || options.columns.length === 0) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`columns\` of a csvSink to name at least one column, got ${describeValue(options.columns)}`,
      );
    }
    this.csv = options;
  }

  override get dataset(): Dataset {
    return { ...super.dataset, fields: this.csv.columns };
  }

  override open(context: ConnectorContext, past: SinkPast | undefined): Promise<undefined> {
    this.context = context;
    this.unseen = new UnseenColumns(this.csv.columns, past);
    return super.open(context, past);
  }

  override async close(outcome: RunOutcome): Promise<void> {
    const { context } = this;
    this.context = undefined;
    if (outcome === 'completed' && context !== undefined) this.unseen.report(context);
    await super.close(outcome);
  }

  encode(record: In): string {
    const { row } = this.csv;
    const fields = fieldsOfRow(row === undefined ? record : row(record), this.task);
    this.unseen.look(fields);
    return this.file.encode(fields);
  }

  protected openFile({ task, signal }: ConnectorContext, from: Json | undefined): Promise<CsvWriter> {
    this.task = task;
    const { path, store, columns, delimiter, lineEnd, escapeFormulas } = this.csv;
    return openCsvWriter({
      path,
      columns,
      signal,
      from,
      ...(store === undefined ? {} : { store }),
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(lineEnd === undefined ? {} : { lineEnd }),
      ...(escapeFormulas === undefined ? {} : { escapeFormulas }),
    });
  }

  protected put(file: CsvWriter, rows: readonly string[]): void | Promise<void> {
    return file.writeText(rows);
  }

  protected async *findIn(path: string, key: string): AsyncGenerator<FoundRecord> {
    const { store, columns, delimiter } = this.csv;
    const given = { ...(store === undefined ? {} : { store }), ...(delimiter === undefined ? {} : { delimiter }) };
    for await (const { item } of findRows({ path, columns, ...given }, key)) {
      yield { where: `${path}, line ${item.line}`, what: 'error' in item ? item.text : JSON.stringify(item.values) };
    }
  }
}
