/**
 * Finds the elements of a file that is one JSON array.
 *
 * Guarantees: an element may have any form; it ends at the comma or bracket that belongs to the array. An array that
 * does not begin or end as one, or is followed by something else, is MILLRACE_JSON, after the elements before it.
 */
import { MillraceError } from '../../connect/values.js';
import type { JsonScanner, JsonSpan } from './json-blocks.js';
import { isWhite } from './line-scanner.js';

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type Place = 'before the array' | 'in the array' | 'behind the array';

export interface ArrayStart {
  readonly path: string;
  readonly offset: number;
  readonly line: number;
  /** True if the first byte is after the opening bracket, at an element. */
  readonly isInside: boolean;
}

export class ArrayScanner implements JsonScanner {
  private readonly path: string;
  private place: Place;
  private offset: number;
  private line: number;
  /** The open brackets and braces of the element. */
  private depth = 0;
  private isInString = false;
  private isEscaped = false;
  /** The beginning of the element, and its line; undefined before its first character. */
  private start: number | undefined;
  private startLine: number;
  /** The end of the element so far, without white space after it. */
  private end = 0;
  private hasElements: boolean;
  /** An error that is thrown after the texts before it were returned. */
  private failure: MillraceError | undefined;

  constructor({ path, offset, line, isInside }: ArrayStart) {
    this.path = path;
    this.offset = offset;
    this.line = this.startLine = line;
    this.place = isInside ? 'in the array' : 'before the array';
    this.hasElements = isInside;
  }

  get open(): { readonly start: number; readonly line: number } {
    return { start: this.start ?? this.offset, line: this.start === undefined ? this.line : this.startLine };
  }

  scan(chunk: Buffer): readonly JsonSpan[] {
    if (this.failure !== undefined) throw this.failure;
    const spans: JsonSpan[] = [];
    try {
      for (let at = 0; at < chunk.length; at++) this.step(chunk[at] as number, this.offset + at, spans);
    } catch (error) {
      if (!(error instanceof MillraceError) || spans.length === 0) throw error;
      this.failure = error;
    }
    this.offset += chunk.length;
    return spans;
  }

  finish(): undefined {
    if (this.failure !== undefined) throw this.failure;
    if (this.place === 'behind the array') return undefined;
    if (this.place === 'before the array') throw this.error(this.line, "the file is empty: expected an array, '['");
    const { line } = this.open;
    throw this.error(
      line,
      this.start === undefined
        ? 'the file ends before its array does; it may have been cut off'
        : 'the file ends within the element that begins here: it may have been cut off, or a bracket is missing in it',
    );
  }

  private step(byte: number, at: number, spans: JsonSpan[]): void {
    if (this.isInString) {
      if (this.isEscaped) this.isEscaped = false;
      else if (byte === BACKSLASH) this.isEscaped = true;
      else if (byte === QUOTE) this.isInString = false;
      else if (byte === LF) this.line++;
      this.end = at + 1;
      return;
    }
    if (isWhite(byte)) {
      if (byte === LF) this.line++;
      return;
    }
    if (this.place === 'before the array') this.begin(byte);
    else if (this.place === 'behind the array') throw this.error(this.line, 'something follows the array: remove it');
    else if (this.depth === 0 && (byte === COMMA || byte === CLOSE)) this.endElement(byte, at, spans);
    else this.continueElement(byte, at);
  }

  private begin(byte: number): void {
    if (byte === OPEN) this.place = 'in the array';
    else {
      const hint = byte === OPEN_OBJECT ? ". Set `format: 'lines'` if each line is a record" : '';
      throw this.error(this.line, `expected an array, which begins with '['${hint}`);
    }
  }

  private continueElement(byte: number, at: number): void {
    if (this.start === undefined) {
      this.start = at;
      this.startLine = this.line;
    }
    if (byte === QUOTE) this.isInString = true;
    else if (byte === OPEN || byte === OPEN_OBJECT) this.depth++;
    else if ((byte === CLOSE || byte === CLOSE_OBJECT) && this.depth > 0) this.depth--;
    this.end = at + 1;
  }

  private endElement(byte: number, at: number, spans: JsonSpan[]): void {
    const { start } = this;
    if (start !== undefined) spans.push({ start, end: this.end, line: this.startLine });
    // An empty array has no element. A missing element is an empty text, which is not JSON.
    else if (byte === COMMA || this.hasElements) spans.push({ start: at, end: at, line: this.line });
    this.hasElements = true;
    this.start = undefined;
    if (byte === CLOSE) this.place = 'behind the array';
  }

  private error(line: number, what: string): MillraceError {
    return new MillraceError('MILLRACE_JSON', `${this.path}, line ${line}: ${what}`);
  }
}
