/**
 * CSV files as a sink: one row a record, in root order, so that the same input gives the same bytes.
 *
 * Promises: rows are written to `path.part`, which gets its name only when the whole run has completed, so a reader never
 * sees half a result; a record that cannot be made a row ends alone.
 */
import { resolve } from 'node:path';
import type { Dataset } from '../../model/events.js';
import { existsSync } from 'node:fs';
import type { OperatorFunction } from 'rxjs';
import { holdClock, type Clock } from '../../model/clock.js';
import { MillraceError, describeValue } from '../../model/errors.js';
import { callback, checkOptions, flag, names, oneOf, text, type OptionRules } from '../../options/options.js';
import type { RunOutcome } from '../../model/ports.js';
import type { TaskScope } from '../../stream/task-scope.js';
import type { Batch } from '../../model/record.js';
import type { TouchedFile } from '../../model/touched-file.js';
import { writeBatches } from '../../stream/write-batches.js';
import { checkInput } from '../../tasks/record-step.js';
import { Task, type FoundRecord } from '../../tasks/task.js';
import { TASK_RULES, type TaskOptions } from '../../tasks/task-options.js';
import type { FilePoint } from '../../storage/file-point.js';
import { touchedFile } from '../../storage/touched-file.js';
import { csvDelimiter } from './csv-reader-options.js';
import { findRows } from './find-rows.js';
import { filesOnTheWayTo, openCsvWriter, type CsvWriter, type CsvWriterOptions } from './csv-writer.js';

/** What may stand in a field. */
export type CsvValue = string | number | bigint | boolean | Date | null | undefined;

/** Options of `csvSink`: where the file goes, its columns, and how a record becomes a row. */
export interface CsvSinkOptions<In, Column extends string>
  extends TaskOptions<In, In>, Pick<CsvWriterOptions, 'delimiter' | 'lineEnd' | 'escapeFormulas'> {
  /** Where the result goes; `.csv.gz` is packed on the way. */
  readonly path: string;
  /** The columns, in order: the header. */
  readonly columns: readonly Column[];
  /** The fields of a record. Default: the record's own properties. */
  readonly row?: (record: In) => { readonly [Key in Column]: CsvValue };
  /** Write in root order. Default true. */
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
 * Writes one CSV row a record to `path.part`, which is renamed to `path` only when the run has
 * completed. Throws MILLRACE_INVALID_OPTION for `columns` that are empty or a `row` that is no
 * function; a record that cannot be made a row ends alone, by the failure policy.
 *
 * @example csvSink({ path: 'offers.csv', columns: ['id', 'offer'], row: (o: Offer) => ({ id: o.id, offer: o.name }) })
 */
export function csvSink<In, const Column extends string>(options: CsvSinkOptions<In, Column>): Task<In, In> {
  checkOptions('a csvSink', options, RULES, ['path', 'columns']);
  return new CsvSink(options);
}

class CsvSink<In, Column extends string> extends Task<In, In> {
  override readonly kind = 'csv sink';
  override readonly isDurable = true;
  private readonly csv: CsvSinkOptions<In, Column>;
  private writer: CsvWriter | undefined;
  private clock: Pick<Clock, 'hold'> = {};

  constructor(options: CsvSinkOptions<In, Column>) {
    super(options);
    if (!Array.isArray(options.columns) || options.columns.length === 0) {
      throw new MillraceError(
        'MILLRACE_INVALID_OPTION',
        `Expected \`columns\` of a csvSink to name at least one column, got ${describeValue(options.columns)}`,
      );
    }
    this.csv = options;
  }

  override get dataset(): Dataset {
    return { namespace: 'file', name: resolve(this.csv.path), fields: this.csv.columns };
  }

  override files(): readonly TouchedFile[] {
    const { path } = this.csv;
    return [touchedFile(path, 'write'), ...filesOnTheWayTo(path).map((part) => touchedFile(part, 'write', path))];
  }

  protected override process(): never {
    throw new TypeError('A CSV sink writes runs of records');
  }

  override async *find(key: string): AsyncGenerator<FoundRecord> {
    const { path, columns, delimiter } = this.csv;
    // What is not finished stands in the file beside it.
    const file = existsSync(path) ? path : `${path}.part`;
    if (!existsSync(file)) return;
    const options = { path: file, columns, ...(delimiter === undefined ? {} : { delimiter }) };
    for await (const { item } of findRows(options, key)) {
      yield { where: `${file}, line ${item.line}`, what: 'error' in item ? item.text : JSON.stringify(item.values) };
    }
  }

  override mark(): Promise<FilePoint> {
    return holdClock(this.clock, (this.writer as CsvWriter).mark());
  }

  override async open({ clock, signal, past }: TaskScope): Promise<void> {
    const { path, columns, delimiter, lineEnd, escapeFormulas } = this.csv;
    this.clock = clock;
    const opening = openCsvWriter({
      path,
      columns,
      signal,
      from: past?.mark as FilePoint | undefined,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(lineEnd === undefined ? {} : { lineEnd }),
      ...(escapeFormulas === undefined ? {} : { escapeFormulas }),
    });
    this.writer = await holdClock(clock, opening);
  }

  override async close(outcome: RunOutcome): Promise<void> {
    const { writer } = this;
    this.writer = undefined;
    if (writer === undefined) return;
    await holdClock(this.clock, outcome === 'completed' ? writer.finish() : writer.abandon());
  }

  override operator(scope: TaskScope): OperatorFunction<Batch<In>, Batch<In>> {
    const check = checkInput<In>(this.options.input, scope.task);
    const { row, ordered = true } = this.csv;
    return writeBatches<In, string>(
      {
        encode: (record) => {
          const fields = row === undefined ? check(record) : row(check(record));
          if (typeof fields === 'object' && fields !== null) {
            return (this.writer as CsvWriter).encode(fields as Record<string, unknown>);
          }
          throw new MillraceError(
            'MILLRACE_INVALID_OUTPUT',
            `Expected a row of '${scope.task}' to be an object with its columns, got ${describeValue(fields)}`,
          );
        },
        write: (rows) => {
          const writing = this.writer?.writeText(rows);
          return writing && holdClock(scope.clock, writing);
        },
        ordered,
      },
      scope,
    );
  }
}
