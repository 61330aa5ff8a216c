/**
 * Reads a file of JSON records, pulled while there is room, with the line of every record.
 *
 * Guarantees: memory does not depend on the size of the file (one chunk, its records, and at most one open record). A
 * text that is not a record is returned as a `JsonBadRow`, and the next ones follow. An error that makes the whole file
 * unreadable is one sentence with the file, the line, the cause and the fix. A file that changes while it is read is an
 * error.
 */
import { isUtf8 } from 'node:buffer';
import { MillraceError } from '../../connect/values.js';
import { BlockReader } from '../files/block-reader.js';
import { firstInvalidByte, openByteSource, type OpenByteSource } from '../files/byte-source.js';
import { throwIfAborted } from '../files/open-input.js';
import type { RowPoint, RowReader } from '../files/row-reader.js';
import { decode } from '../files/text-encoding.js';
import { JsonFault, readJson } from '../json/json-value.js';
import { ArrayScanner } from './array-scanner.js';
import { JsonBlocks, type JsonBlock, type JsonSpan } from './json-blocks.js';
import { resolveJsonOptions, type JsonReaderOptions, type ResolvedJsonOptions } from './json-reader-options.js';
import { LineScanner } from './line-scanner.js';

/** A record. */
export interface JsonRow {
  /** The line of the file on which it begins, from 1. */
  readonly line: number;
  readonly value: unknown;
}

/** A text that is not a record. `'error' in item` distinguishes it from a `JsonRow`. */
export interface JsonBadRow {
  readonly line: number;
  /** The text in the file; of one that is too long, the beginning. */
  readonly text: string;
  /** MILLRACE_JSON, with the file and line in its message. */
  readonly error: MillraceError;
}

export type JsonItem = JsonRow | JsonBadRow;

/** The number of bytes at the beginning from which another form of the file is recognised. */
const HEAD_BYTES = 64;

/** Opens a file; throws MILLRACE_FILE, MILLRACE_JSON or MILLRACE_INVALID_OPTION. */
export async function openJsonReader(options: JsonReaderOptions): Promise<RowReader<JsonItem>> {
  const resolved = resolveJsonOptions(options);
  throwIfAborted(resolved);
  const source = await openByteSource(resolved);
  try {
    if (resolved.at === undefined && !resolved.isArray) await refuseOtherForms(source, resolved.path);
    // The reader detects only aborts that come after this check.
    throwIfAborted(resolved);
    return new JsonReader(source, resolved);
  } catch (error) {
    await source.close().catch(() => undefined);
    throw error;
  }
}

function hasLine(bytes: Buffer): boolean {
  return bytes.toString('latin1').trimStart().includes('\n');
}

/**
 * Refuses a file whose first line is only a bracket: it is one JSON document over several lines, and no line is a
 * record.
 */
async function refuseOtherForms(source: OpenByteSource, path: string): Promise<void> {
  const head = (await source.peek(HEAD_BYTES, hasLine)).toString('latin1').trimStart();
  const [first = ''] = head.split('\n', 1);
  if (first.length === head.length) return;
  const bracket = first.trim();
  if (bracket === '[') {
    throw new MillraceError(
      'MILLRACE_JSON',
      `${path} is one JSON array over several lines: set the option \`format\` to 'array'`,
    );
  }
  if (bracket === '{') {
    throw new MillraceError(
      'MILLRACE_JSON',
      `${path} holds objects over several lines: write each on one line, or put them into an array and set the option \`format\` to 'array'`,
    );
  }
}

class JsonReader extends BlockReader<JsonItem, RowPoint> {
  private readonly options: ResolvedJsonOptions;
  private readonly blocks: JsonBlocks;
  /** The number of the first record of the next block. */
  private next = 0;

  constructor(source: OpenByteSource, options: ResolvedJsonOptions) {
    super(source, options);
    this.options = options;
    const { path, at, isArray, maxRecordBytes } = options;
    const offset = at?.start ?? source.skippedBytes;
    const line = at?.line ?? 1;
    const scanner = isArray
      ? new ArrayScanner({ path, offset, line, isInside: at !== undefined })
      : new LineScanner({ offset, line });
    this.blocks = new JsonBlocks(source, scanner, { offset, maxBytes: maxRecordBytes });
  }

  protected async nextItems(): Promise<readonly JsonItem[] | null> {
    const block = await this.blocks.next();
    if (block === null) return null;
    const [first] = block.spans;
    if (first !== undefined) this.beginsAt({ rows: this.next, start: first.start, line: first.line });
    const items = this.itemsOf(block);
    this.next += items.length;
    return items;
  }

  private itemsOf(block: JsonBlock): JsonItem[] {
    const { bytes, start, spans } = block;
    const { encoding, reading } = this.options;
    const end = (spans.at(-1) as JsonSpan).end - start;
    const isValid = encoding.isUtf8 ? isUtf8(bytes.subarray(0, end)) : encoding.isTotal;
    return spans.map((span) => {
      const { line } = span;
      if (span.head !== undefined) return this.tooLong(span, span.head);
      const [from, to] = [span.start - start, span.end - start];
      const text = withoutByteOrderMark(decode(bytes, encoding, from, to));
      const invalidAt = isValid ? undefined : this.invalidIn(bytes.subarray(from, to), text);
      if (invalidAt !== undefined) return this.bad(line, text, invalidByte(bytes[from + invalidAt], encoding.name));
      const value = readJson(text, reading);
      if (!(value instanceof JsonFault)) return { line, value };
      const nulAt = text.indexOf('\0');
      const what = nulAt < 0 ? value.reason : 'it contains a NUL byte; remove it where the file is made';
      return this.bad(line, text, span.isCut === true && nulAt < 0 ? `${what}${CUT}` : what);
    });
  }

  /** The index of a byte that is not a character. */
  private invalidIn(bytes: Buffer, text: string): number | undefined {
    if (this.options.encoding.isUtf8) return firstInvalidByte(bytes);
    const at = text.indexOf('\uFFFD');
    return at < 0 ? undefined : at;
  }

  private tooLong({ start, end, line }: JsonSpan, head: Buffer): JsonBadRow {
    const { maxRecordBytes, encoding } = this.options;
    const what = `the record has ${end - start} bytes, more than ${maxRecordBytes}; check its line ends, or raise the option \`maxRecordBytes\``;
    return this.bad(line, `${withoutByteOrderMark(decode(head, encoding))}…`, what);
  }

  private bad(line: number, text: string, what: string): JsonBadRow {
    return { line, text, error: new MillraceError('MILLRACE_JSON', `${this.options.path}, line ${line}: ${what}`) };
  }
}

const CUT = '. The file ends within this line, so it may have been cut off';

function invalidByte(byte: number | undefined, encoding: string): string {
  const code = (byte ?? 0).toString(16).padStart(2, '0').toUpperCase();
  return `byte 0x${code} is not a character in ${encoding}; set the option \`encoding\` to the encoding of the file, or convert it`;
}

/** Joined files have byte order marks at the beginnings of records. */
function withoutByteOrderMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
