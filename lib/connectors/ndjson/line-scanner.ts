/**
 * Finds the lines of a file of JSON lines.
 *
 * Guarantees: only LF ends a line, as in the NDJSON and JSON Lines formats; a CR before it is white space of JSON.
 * Lines that contain only white space are skipped.
 */
import type { JsonScanner, JsonSpan } from './json-blocks.js';

const LF = 0x0a;

export class LineScanner implements JsonScanner {
  private offset: number;
  private start: number;
  private line: number;
  /** Whether the open line has something other than white space. */
  private hasText = false;

  constructor({ offset, line }: { readonly offset: number; readonly line: number }) {
    this.offset = this.start = offset;
    this.line = line;
  }

  get open(): { readonly start: number; readonly line: number } {
    return { start: this.start, line: this.line };
  }

  scan(chunk: Buffer): readonly JsonSpan[] {
    const spans: JsonSpan[] = [];
    const { offset } = this;
    let at = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, at)) {
      if (this.hasText || hasText(chunk, at, end)) {
        const hasReturn = end > at && chunk[end - 1] === 0x0d;
        spans.push({ start: this.start, end: offset + end - (hasReturn ? 1 : 0), line: this.line });
      }
      this.hasText = false;
      at = end + 1;
      this.start = offset + at;
      this.line++;
    }
    this.hasText ||= hasText(chunk, at, chunk.length);
    this.offset = offset + chunk.length;
    return spans;
  }

  finish(): JsonSpan | undefined {
    return this.hasText ? { start: this.start, end: this.offset, line: this.line, isCut: true } : undefined;
  }
}

function hasText(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (!isWhite(bytes[at] as number)) return true;
  return false;
}

/** The white space of JSON. */
export function isWhite(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
