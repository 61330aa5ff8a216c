/**
 * Finds the rows that an open quote has swallowed behind the allowed bytes of a record.
 *
 * Guarantees: the result depends on the bytes of the record alone, not on the chunks in which they arrive. Memory is
 * one sample of lines, of at most twice `maxRowBytes`.
 */

/**
 * What a line is by itself. A blank line and a comment are no evidence. The last line of a record may be the beginning of
 * a row that contains line ends.
 */
export type LineKind = 'row' | 'beginning' | 'other' | 'blank';

/** The line with which reading goes on. */
export interface FoundRow {
  /** The offset in the input, and the line. */
  readonly start: number;
  readonly line: number;
  /** The offset after the last byte that the decision depended on. */
  readonly seenTo: number;
}

export interface RowSearchOptions {
  /** The offset of the record in the input, and its line. */
  readonly start: number;
  readonly line: number;
  readonly maxRowBytes: number;
  /** The number of lines of a sample. */
  readonly sampleLines: number;
  kindOf(line: Buffer): LineKind;
}

interface SampledLine {
  readonly start: number;
  readonly line: number;
  readonly kind: LineKind;
}

const LF = 10;
const CR = 13;

/**
 * Searches the first line behind the allowed bytes that begins a sample of which more than half are rows. Each line
 * after the first of these lines must also be a row itself, because the lines before it belong to no row.
 */
export class RowSearch {
  private readonly options: RowSearchOptions;
  private readonly from: number;
  /** The bytes from the beginning of the sample, or of the line that is passed over. */
  private buffer: Buffer = Buffer.alloc(0);
  /** The offset of the first byte of the buffer. */
  private offset: number;
  /** The indexes in the buffer at which the present line begins, and behind the bytes without a line end. */
  private lineAt = 0;
  private scannedTo = 0;
  private line: number;
  private sample: SampledLine[] = [];
  /** True until a line end behind the allowed bytes is found. */
  private isPassing = true;
  private isFirst = true;

  constructor(options: RowSearchOptions) {
    this.options = options;
    this.from = options.start + options.maxRowBytes;
    this.offset = options.start;
    this.line = options.line;
  }

  /** Accepts the next bytes of the record. */
  add(bytes: Buffer): FoundRow | undefined {
    this.buffer = this.buffer.length === 0 ? bytes : Buffer.concat([this.buffer, bytes]);
    return this.advance(false);
  }

  /** The record has ended. Call it only if the record is not valid as it is. */
  finish(): FoundRow | undefined {
    const found = this.advance(true);
    const last = this.sample.at(-1);
    if (last?.kind === 'beginning') this.sample[this.sample.length - 1] = { ...last, kind: 'row' };
    return found ?? this.firstOf(this.offset + this.lineAt);
  }

  /** The bytes from this row to the last one that was added. */
  rest({ start }: FoundRow): Buffer {
    return this.buffer.subarray(start - this.offset);
  }

  private advance(isOver: boolean): FoundRow | undefined {
    const { maxRowBytes } = this.options;
    for (;;) {
      const end = this.nextLineEnd(isOver);
      const lineEnd = end ?? this.buffer.length;
      if (!this.isPassing && lineEnd - this.lineAt > maxRowBytes) {
        const found = this.firstOf(this.offset + this.lineAt + maxRowBytes + 1);
        if (found !== undefined) return found;
        this.sample = [];
        this.isPassing = this.isFirst = true;
      }
      if (end === undefined) {
        this.release();
        return undefined;
      }
      const start = this.offset + this.lineAt;
      const bytes = this.buffer.subarray(this.lineAt, end);
      this.lineAt = this.scannedTo = end;
      const { line } = this;
      this.line++;
      if (this.isPassing) {
        this.isPassing = this.offset + end <= this.from;
        continue;
      }
      const found = this.accept({ start, line }, this.options.kindOf(bytes));
      if (found !== undefined) return found;
    }
  }

  private accept(at: { readonly start: number; readonly line: number }, kind: LineKind): FoundRow | undefined {
    if (kind === 'blank') return undefined;
    const { sampleLines, maxRowBytes } = this.options;
    const seenTo = this.offset + this.lineAt;
    this.sample.push({ ...at, kind });
    for (let [first] = this.sample; first !== undefined; [first] = this.sample) {
      if (this.sample.length < sampleLines && seenTo - first.start < maxRowBytes) return undefined;
      const found = this.judge(seenTo);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Judges all samples that begin with the lines so far, without more lines behind them. */
  private firstOf(seenTo: number): FoundRow | undefined {
    while (this.sample.length > 0) {
      const found = this.judge(seenTo);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Returns the first line of the sample if rows begin with it; otherwise removes it. */
  private judge(seenTo: number): FoundRow | undefined {
    const [first] = this.sample;
    if (first === undefined) return undefined;
    const rows = this.sample.filter(({ kind }) => kind === 'row').length;
    if ((this.isFirst || first.kind === 'row') && rows * 2 > this.sample.length) {
      return { start: first.start, line: first.line, seenTo };
    }
    this.isFirst = false;
    this.sample.shift();
    return undefined;
  }

  /** The index after the next line end; undefined if it has not arrived. */
  private nextLineEnd(isOver: boolean): number | undefined {
    const { buffer } = this;
    for (let at = this.scannedTo; at < buffer.length; at++) {
      if (buffer[at] === LF) return at + 1;
      if (buffer[at] !== CR) continue;
      // Whether an LF belongs to this line end is in the next bytes.
      if (at + 1 === buffer.length && !isOver) {
        this.scannedTo = at;
        return undefined;
      }
      return buffer[at + 1] === LF ? at + 2 : at + 1;
    }
    this.scannedTo = buffer.length;
    return isOver && this.lineAt < buffer.length ? buffer.length : undefined;
  }

  /** Drops the bytes before the sample, or those of a line that is passed over. */
  private release(): void {
    const start = this.isPassing ? this.scannedTo : (this.sample[0]?.start ?? this.offset + this.lineAt) - this.offset;
    if (start === 0) return;
    this.buffer = Buffer.from(this.buffer.subarray(start));
    this.offset += start;
    this.lineAt = Math.max(0, this.lineAt - start);
    this.scannedTo -= start;
  }
}
