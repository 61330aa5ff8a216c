/**
 * Reads a CSV file as rows of named fields, pulled while there is room, with the line of every row.
 *
 * Guarantees: memory does not depend on the size of the file (one chunk, its rows, and at most one open record). A
 * broken row is returned as a `CsvBadRow`, and the next rows follow. An error that makes the whole file unreadable is
 * one sentence with the file, the line, the cause and the fix. No field is padded, cut, dropped or decoded wrongly
 * without an error or an option that allows it. A file that changes while it is read is an error.
 *
 * The reader first finds where records begin and end, and whether their quotes are valid (record-boundaries,
 * record-blocks). It splits rows without quotes at the delimiters itself; fast-csv reads the others (quoted-rows),
 * unless an option allows quotes that fast-csv does not read (csv-dialect).
 */
import { MillraceError, describeThrown } from '../../connect/values.js';
import { BlockText } from './block-text.js';
import type { InputVersion } from '../../connect/files.js';
import { BlockReader } from '../files/block-reader.js';
import { openByteSource, type OpenByteSource } from '../files/byte-source.js';
import { throwIfAborted } from '../files/open-input.js';
import type { RowPoint, RowReader } from '../files/row-reader.js';
import { isStandard, splitBare, splitRow, type CsvDialect } from './csv-dialect.js';
import { checkHeader, delimiterAfterQuote, list, nameOf, namesFor } from './csv-header.js';
import { csvDelimiter } from './csv-reader-options.js';
import { resolveReaderOptions, type CsvReaderOptions, type ResolvedReaderOptions } from './csv-reader-options.js';
import { isRow, RecordBlocks, type RecordBlock } from './record-blocks.js';
import type { QuotedRows } from './quoted-rows.js';
import { ShareFilter } from './row-share.js';
import { describeFault, type RecordSpan, type RowFault } from './record-boundaries.js';

export type { CsvReaderOptions };

/** A row with the fields of the header's columns. */
export interface CsvRow {
  /**
   * The number of the row among the rows to read, from 0. A reader of a share also counts the rows of the other shares.
   */
  readonly number: number;
  /** The line of the file it starts on, from 1. */
  readonly line: number;
  readonly values: Record<string, string>;
}

/** A row that could not be read. `'error' in item` distinguishes it from a `CsvRow`. */
export interface CsvBadRow {
  readonly number: number;
  readonly line: number;
  /** The text of the row in the file, without its line end. */
  readonly text: string;
  /** MILLRACE_CSV, with the file and line in its message. */
  readonly error: MillraceError;
}

export type CsvItem = CsvRow | CsvBadRow;

/** A place in a file for `byteRange`, `startLine`, `headerNames` and `delimiter`. Plain data. */
export interface CsvPoint extends RowPoint {
  readonly columns: readonly string[];
  readonly delimiter: string;
}

export interface CsvReader extends RowReader<CsvItem> {
  /** The columns of the file, in its order. */
  readonly columns: readonly string[];
  /** The place of the first row, or of blank lines and comments before it. */
  readonly firstRow: CsvPoint;
  /** The version of the file that is read; undefined for anything but a regular file. */
  readonly version: InputVersion | undefined;
  pointBefore(row: number): CsvPoint | undefined;
}

/** Opens a file and reads its header; throws MILLRACE_FILE, MILLRACE_CSV or MILLRACE_INVALID_OPTION. */
export async function openCsvReader(options: CsvReaderOptions): Promise<CsvReader> {
  const resolved = resolveReaderOptions(options);
  throwIfAborted(resolved);
  return openOn(await openByteSource(resolved), resolved);
}

/** Like `openCsvReader`, but reads the bytes of `source`, which it closes if it throws. */
export async function openCsvReaderOn(source: OpenByteSource, options: CsvReaderOptions): Promise<CsvReader> {
  return openOn(source, resolveReaderOptions(options));
}

async function openOn(source: OpenByteSource, options: ResolvedReaderOptions): Promise<CsvReader> {
  try {
    const { delimiter, line } = await beginningOf(source, options);
    // The reader detects only aborts that come after this check.
    throwIfAborted(options);
    const reader = new CsvFileReader(source, options, { delimiter, line });
    try {
      await reader.begin();
      return reader;
    } catch (error) {
      await reader.close();
      throw error;
    }
  } catch (error) {
    await source.close().catch(() => undefined);
    throw error;
  }
}

/** The line with which Excel declares the delimiter of a file, `sep=;`. */
const SEPARATOR_LINE = /^sep=([^\r\n])(?:\r\n|\r|\n|$)/i;
const SEPARATOR_BYTES = 16;

/** Whether these bytes are enough: the first line is complete, or it does not declare a delimiter. */
function isNoSeparatorLine(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return /[\r\n]/.test(text) || !'sep='.startsWith(text.slice(0, 4).toLowerCase());
}

/** Skips the lines before the header, and finds the delimiter. */
async function beginningOf(
  source: OpenByteSource,
  { path, dialect, byteRange, fromLine, startLine, headerNames, columns }: ResolvedReaderOptions,
): Promise<{ delimiter: string; line: number }> {
  const given = dialect.delimiter;
  if (byteRange !== undefined) return { delimiter: given ?? ',', line: startLine };
  const head = (await source.peek(SEPARATOR_BYTES, isNoSeparatorLine)).toString('latin1');
  const [text, declared] = SEPARATOR_LINE.exec(head.slice(0, SEPARATOR_BYTES)) ?? [];
  // The text may be data: a row of a file without a header, or a header with one column of this name.
  const isData = (headerNames ?? columns).some((column) => column.toLowerCase().startsWith('sep='));
  let [delimiter, line] = [given ?? ',', startLine];
  if (text !== undefined && declared !== undefined && csvDelimiter.accepts(declared) && !isData) {
    if (given !== undefined && given !== declared) {
      throw new MillraceError(
        'MILLRACE_CSV',
        `${path}, line 1: the file declares the delimiter ${nameOf(declared)}, and the option \`delimiter\` is ${nameOf(given)}; ` +
          'leave the option out, or set it to that of the file',
      );
    }
    delimiter = declared;
    source.skip(text.length);
    line++;
  }
  while (line < fromLine && (await skipLine(source))) line++;
  return { delimiter, line };
}

/** Skips the next line. Resolves with false at the end. */
async function skipLine(source: OpenByteSource): Promise<boolean> {
  for (;;) {
    const bytes = await source.peek(1);
    if (bytes.length === 0) return false;
    const at = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
    source.skip(at < 0 ? bytes.length : at + 1);
    if (at < 0) continue;
    if (bytes[at] === 0x0d && (await source.peek(1))[0] === 0x0a) source.skip(1);
    return true;
  }
}

class CsvFileReader extends BlockReader<CsvItem, CsvPoint> implements CsvReader {
  columns: readonly string[] = [];
  readonly version: InputVersion | undefined;
  private readonly options: ResolvedReaderOptions;
  private readonly dialect: CsvDialect;
  private readonly blocks: RecordBlocks;
  private quotedRows: QuotedRows | undefined;
  private readonly text: BlockText;
  /** The number of the next row. */
  private nextRow = 0;
  private share: ShareFilter | undefined;
  private first: CsvPoint | undefined;

  constructor(
    source: OpenByteSource,
    options: ResolvedReaderOptions,
    { delimiter, line }: { readonly delimiter: string; readonly line: number },
  ) {
    super(source, options);
    this.options = options;
    this.version = source.version;
    const { path, maxRowBytes, byteRange, encoding, headerNames } = options;
    this.dialect = { ...options.dialect, delimiter };
    const { dialect } = this;
    const offset = (byteRange?.start ?? 0) + source.skippedBytes;
    const columns = headerNames?.length;
    const { isUtf8 } = encoding;
    this.blocks = new RecordBlocks(source, { path, dialect, isUtf8, maxRowBytes, offset, line, columns });
    this.text = new BlockText(encoding);
  }

  get firstRow(): CsvPoint {
    return this.first as CsvPoint;
  }

  /** Reads the header, if the file has one. */
  async begin(): Promise<void> {
    const { path, columns, headerNames, fromLine } = this.options;
    if (headerNames !== undefined) {
      this.setColumns(headerNames);
      return;
    }
    let names: readonly string[] = [];
    const hasHeader = await this.blocks.header(async (block, span) => {
      names = await this.namesIn(block, span);
      return names.length;
    });
    if (hasHeader) {
      this.setColumns(names);
      return;
    }
    throwIfAborted(this.options);
    const wanted = columns.length === 0 ? '' : ` with ${list(columns)}`;
    const what = fromLine === 1 ? 'is empty' : `has nothing from line ${fromLine} on`;
    throw new MillraceError('MILLRACE_CSV', `${path} ${what}: expected a header row${wanted}`);
  }

  /** The names of the columns in the header, or those that replace them. */
  private async namesIn(block: RecordBlock, span: RecordSpan): Promise<readonly string[]> {
    const { path, columns, isHeaderReplaced, relaxColumnCount } = this.options;
    const { delimiter } = this.dialect;
    const { line, isQuoted } = span;
    const text = this.text.of(block, span);
    const fault = span.fault ?? this.text.invalidIn(block, span);
    if (fault !== undefined) {
      const other = fault.kind === 'text after quote' ? delimiterAfterQuote(text, delimiter) : undefined;
      const what =
        other === undefined
          ? describeFault(fault)
          : `another delimiter follows the first name; did you mean ${nameOf(other)}? Set the option \`delimiter\` to it`;
      throw new MillraceError('MILLRACE_CSV', `${path}, line ${fault.line}: in the header, ${what}`);
    }
    const [found = []] = isQuoted ? await this.readQuoted([text], line) : [splitBare(text, this.dialect)];
    if (!isHeaderReplaced) {
      const names = namesFor(found);
      checkHeader({ path, line, names, columns, delimiter, isQuoted });
      return names;
    }
    if (found.length === columns.length || (relaxColumnCount && found.length < columns.length)) return columns;
    throw new MillraceError(
      'MILLRACE_CSV',
      `${path}, line ${line}: the header has ${found.length} columns, ${list(found)}, and \`columns\` are ${columns.length} to replace them; name each column, or write '' for one to leave out`,
    );
  }

  private setColumns(columns: readonly string[]): void {
    const { share, encoding } = this.options;
    const { dialect } = this;
    this.columns = columns;
    this.first = { rows: 0, ...this.blocks.position, columns, delimiter: dialect.delimiter };
    if (share !== undefined)
      this.share = new ShareFilter({ ...share, columns, delimiter: dialect.delimiter, encoding });
  }

  protected async nextItems(): Promise<readonly CsvItem[] | null> {
    const block = await this.blocks.next();
    if (block === null) return null;
    const [first] = block.spans;
    const { columns } = this;
    const { delimiter } = this.dialect;
    if (first !== undefined) {
      this.beginsAt({ rows: this.nextRow, start: first.start, line: first.line, columns, delimiter });
    }
    return this.itemsOf(block);
  }

  protected override end(): void {
    this.quotedRows?.close();
  }

  private async itemsOf(block: RecordBlock): Promise<CsvItem[]> {
    const { of: textOf, isValid } = this.text.rowsOf(block);
    const { share, columns, dialect } = this;
    const { relaxColumnCount } = this.options;
    const isFast = isStandard(dialect);
    const canTestBytes = share !== undefined && !dialect.trim;
    const items: CsvItem[] = [];
    const quoted: { readonly at: number; readonly span: RecordSpan; readonly number: number }[] = [];
    const accept = (item: CsvItem): void => {
      if (share === undefined || 'error' in item || share.hasText(item.values[share.column] as string))
        items.push(item);
    };
    for (const span of block.spans) {
      const isSound = span.fault === undefined && span.fields === columns.length;
      if (!isSound && !isRow(block, span, columns.length)) continue;
      const number = this.nextRow++;
      const fault = span.fault ?? (isValid ? undefined : this.text.invalidIn(block, span));
      if (fault !== undefined || (!isSound && !relaxColumnCount)) {
        if (share?.hasNumber(number) !== false) items.push(this.badRow(block, { ...span, fault }, number));
      } else if (isSound && isFast && span.isQuoted) {
        quoted.push({ at: items.length, span, number });
        items.push(UNREAD);
      } else if (isSound && !span.isQuoted && (!canTestBytes || share.hasPlain(block, span))) {
        const row = this.rowOf(block, span, number, splitBare(textOf(span), dialect));
        if (canTestBytes) items.push(row);
        else accept(row);
      } else if (!isSound || span.isQuoted) {
        const fields = this.fitted(splitRow(textOf(span), dialect));
        if (fields !== undefined) accept(this.rowOf(block, span, number, fields));
        else if (share?.hasNumber(number) !== false) items.push(this.badRow(block, span, number));
      }
    }
    if (quoted[0] === undefined) return items;
    const texts = quoted.map(({ span }) => textOf(span));
    const rows = await this.readQuoted(texts, quoted[0].span.line);
    for (const [i, { at, span, number }] of quoted.entries()) {
      const fields = rows[i] as string[];
      // fast-csv drops a first field that is only white space.
      if (fields[0] === '') fields[0] = this.firstOf(texts[i] as string);
      const item = this.rowOf(block, span, number, fields);
      if (share === undefined || 'error' in item || share.hasText(item.values[share.column] as string))
        items[at] = item;
    }
    return share === undefined ? items : items.filter((item) => item !== UNREAD);
  }

  /** Returns as many fields as there are columns; undefined if fields that are not empty would be lost. */
  private fitted(fields: readonly string[]): readonly string[] | undefined {
    const { length } = this.columns;
    if (fields.length <= length) return [...fields, ...Array.from({ length: length - fields.length }, () => '')];
    return fields.slice(length).every((field) => field === '') ? fields.slice(0, length) : undefined;
  }

  private async readQuoted(rows: readonly string[], line: number): Promise<string[][]> {
    const { dialect } = this;
    if (!isStandard(dialect)) return rows.map((row) => splitRow(row, dialect));
    try {
      // Most files have no quotes and need not load fast-csv.
      this.quotedRows ??= new (await import('./quoted-rows.js')).QuotedRows(dialect.delimiter);
      return await this.quotedRows.read(rows);
    } catch (error) {
      const what = `${this.options.path}, in the rows from line ${line} on: ${describeThrown(error)}`;
      throw new MillraceError('MILLRACE_CSV', what, { cause: error });
    }
  }

  private badRow(block: RecordBlock, span: RecordSpan, number: number): CsvBadRow {
    const { fault, line } = span;
    const text = this.text.of(block, span);
    const where = `${this.options.path}, line ${fault?.line ?? line}`;
    const what = fault === undefined ? this.miscounted(span, text) : this.described(fault);
    const error = new MillraceError('MILLRACE_CSV', `${where}: ${what}`);
    return { number, line, text: fault?.head === undefined ? text : `${text}…`, error };
  }

  private described(fault: RowFault): string {
    if (fault.kind !== 'too long') return describeFault(fault, this.columns[fault.field - 1]);
    const { maxRowBytes } = this.options;
    return `the row has ${fault.byte ?? 0} bytes, more than ${maxRowBytes}; check its line ends and quotes, or raise the option \`maxRowBytes\``;
  }

  /** Describes a wrong number of fields. */
  private miscounted({ fields }: RecordSpan, text: string): string {
    const { relaxColumnCount } = this.options;
    const expected = this.columns.length;
    const counts = `expected ${expected} ${expected === 1 ? 'field' : 'fields'}, got ${fields}`;
    if (fields < expected) return `${counts}; add what is missing, or set the option \`relaxColumnCount\` to true`;
    if (!relaxColumnCount && this.fitted(splitRow(text, this.dialect)) !== undefined) {
      return `${counts}, and the additional ones are empty; remove the delimiters at the end, or set the option \`relaxColumnCount\` to true`;
    }
    return `${counts}; quote a field that holds the delimiter`;
  }

  private rowOf(block: RecordBlock, span: RecordSpan, number: number, fields: readonly string[]): CsvItem {
    const { columns } = this;
    const { line } = span;
    if (fields.length !== columns.length) {
      const what = `${fields.length} fields were read where there are ${columns.length}`;
      const error = new MillraceError('MILLRACE_CSV', `${this.options.path}, line ${line}: ${what}`);
      return { number, line, text: this.text.of(block, span), error };
    }
    const values: Record<string, string> = {};
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as string;
      if (column !== '') values[column] = fields[i] as string;
    }
    return { number, line, values };
  }

  private firstOf(text: string): string {
    const [first = ''] = text.split(this.dialect.delimiter, 1);
    return first.includes('"') ? '' : first;
  }
}

/** A placeholder for a row that fast-csv has not read yet. */
const UNREAD: CsvItem = { number: 0, line: 0, values: {} };
