/**
 * Writes rows to a CSV file, which gets its final name only when it is complete.
 *
 * Guarantees: those of a result file (files/result-file). A value that CSV cannot represent is MILLRACE_CSV. Then none
 * of the rows in the same group of at most `ROWS_AT_ONCE` is written.
 */
import { MillraceError, describeValue } from '../../connect/values.js';
import type { Json } from '../../connect/index.js';
import type { FileStore } from '../../connect/files.js';
import type { ResultFile } from '../files/open-result.js';
import { openResultFile } from '../files/result-file.js';
import { duplicatesOf } from './csv-header.js';
import { checkDelimiter } from './csv-reader-options.js';
import { RowFormat } from './csv-row-format.js';

export interface CsvWriterOptions {
  /**
   * The path of the file, in an existing folder. A `.gz` file is compressed. `finish` replaces an existing table; any
   * other file that would be replaced is refused. A device or a pipe is written to directly.
   */
  readonly path: string;
  /** The store of a path that is a URL. Default: the one of its scheme, with settings of the environment. */
  readonly store?: FileStore;
  /** The columns, in order: the header. */
  readonly columns: readonly string[];
  /** One character. Default `,`. */
  readonly delimiter?: string;
  /** Default `\n`. */
  readonly lineEnd?: '\n' | '\r\n';
  /**
   * Puts a `'` before strings that start with = + - @ (or their full-width forms, a tab, CR or LF), which a spreadsheet
   * would run as a formula. Default false: strings are written as they are.
   */
  readonly escapeFormulas?: boolean;
  /** Ends waiting writes with MILLRACE_ABORTED. The file stays until `finish` or `abandon`. */
  readonly signal?: AbortSignal;
  /**
   * Continues at this point, which `persist` has returned, and removes the bytes after it. If the file was renamed at
   * this point, it is complete.
   */
  readonly from?: Json | undefined;
}

/** The ends of names of tables. */
const TABLE_NAME = /\.(?:csv|tsv|tab|psv|txt|dat)$/i;

/** The most rows per text. */
const ROWS_AT_ONCE = 4096;

/** Opens `path.part` and writes the header; throws MILLRACE_FILE, MILLRACE_RESUME or MILLRACE_INVALID_OPTION. */
export async function openCsvWriter(options: CsvWriterOptions): Promise<CsvWriter> {
  const { path, store, columns, signal, from } = options;
  const named = columns.every((column) => typeof column === 'string' && column !== '');
  if (columns.length === 0 || !named || duplicatesOf(columns).length > 0) {
    const got = describeValue(columns);
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`columns\` of a CSV file to be different names, got ${got}`,
    );
  }
  const format = new RowFormat({
    columns,
    delimiter: checkDelimiter(options.delimiter),
    lineEnd: options.lineEnd ?? '\n',
    escapeFormulas: options.escapeFormulas ?? false,
  });
  const { header } = format;
  const kind = { names: TABLE_NAME, ending: '.csv', isKnownBy: (head: string) => head.startsWith(header) };
  return new CsvWriter(await openResultFile({ path, store, header, kind, signal, from }), format);
}

/** A CSV file that is open for writing. */
export class CsvWriter {
  private readonly file: ResultFile;
  private readonly format: RowFormat;

  constructor(file: ResultFile, format: RowFormat) {
    this.file = file;
    this.format = format;
  }

  /**
   * True if the rows go to a device or a pipe. Such rows cannot be removed, so there are no points to continue from.
   */
  get isStream(): boolean {
    return this.file.isStream;
  }

  /** The bytes that the system has accepted; for .gz the compressed bytes. */
  get bytesWritten(): number {
    return this.file.bytesWritten;
  }

  /** Accepts the rows as soon as there is room for them. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  write(rows: readonly Readonly<Record<string, unknown>>[]): void | Promise<void> {
    return this.file.put(() => textsOf(rows, (some) => this.format.text(some)));
  }

  /** The text of one row, for `writeText`. Throws MILLRACE_CSV for a value that CSV cannot represent. */
  encode(row: Readonly<Record<string, unknown>>): string {
    return this.format.text([row]);
  }

  /** Accepts encoded rows as soon as there is room for them. A returned promise resolves when they are accepted. */
  writeText(rows: readonly string[]): void | Promise<void> {
    return this.file.put(() => textsOf(rows, (some) => some.join('')));
  }

  /**
   * The point after the rows accepted so far. Resolves when they would survive a loss of power; for a device or a pipe
   * with undefined, when the system has accepted them.
   */
  persist(): Promise<Json | undefined> {
    return this.file.persist();
  }

  /** Makes everything durable and renames the file, or fills the existing one. Resolves when both are done. */
  finish(): Promise<void> {
    return this.file.finish();
  }

  /** Closes the file and leaves `path.part` as it is. */
  abandon(): Promise<void> {
    return this.file.abandon();
  }
}

function* textsOf<Row>(rows: readonly Row[], textOf: (rows: readonly Row[]) => string): Generator<string> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) yield textOf(rows.slice(from, from + ROWS_AT_ONCE));
}
