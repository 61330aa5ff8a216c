/**
 * Groups the bytes of a file into blocks of complete JSON texts, with the position of each.
 *
 * Guarantees: a text never spans two blocks. Memory is one chunk plus the open text, of which at most `maxRecordBytes`
 * are kept. The texts do not depend on how the bytes are divided into chunks. A text is not checked for being JSON.
 */
import type { ByteSource } from '../files/byte-source.js';

/** One JSON text of a block. The offsets are those of the input. */
export interface JsonSpan {
  readonly start: number;
  /** The end of the text, without the line end or the comma that follows it. */
  readonly end: number;
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** The beginning of a text that is too long. Its other bytes were dropped. */
  readonly head?: Buffer;
  /** True if the file ends with this text, without a line end. */
  readonly isCut?: boolean;
}

export interface JsonBlock {
  readonly bytes: Buffer;
  /** Offset of `bytes[0]` in the input. */
  readonly start: number;
  /** At least one. */
  readonly spans: readonly JsonSpan[];
}

/** Finds the JSON texts of a file. Contract: chunks in their order, then one `finish`. */
export interface JsonScanner {
  /** The texts that end in this chunk, and the open one that begins in it or before it. */
  scan(chunk: Buffer): readonly JsonSpan[];
  /** Offset and line of the text that has begun and not ended, or of the next byte. */
  readonly open: { readonly start: number; readonly line: number };
  /** Ends the input. Returns the text that it ends with, if there is one. Throws if the input may not end here. */
  finish(): JsonSpan | undefined;
}

/** The number of bytes of a text that is too long that are kept for its message. */
const HEAD_BYTES = 1024;

export class JsonBlocks {
  private readonly source: ByteSource;
  private readonly scanner: JsonScanner;
  private readonly maxBytes: number;
  /** The bytes of the open text, from chunks that ended within it. */
  private openChunks: Buffer[] = [];
  /** The beginning of the open text, once it is too long. */
  private head: Buffer | undefined;
  private offset: number;
  private isOver = false;

  constructor(
    source: ByteSource,
    scanner: JsonScanner,
    options: { readonly offset: number; readonly maxBytes: number },
  ) {
    this.source = source;
    this.scanner = scanner;
    this.offset = options.offset;
    this.maxBytes = options.maxBytes;
  }

  /** The next block, or null at the end. Throws the errors of the source and of the scanner. */
  async next(): Promise<JsonBlock | null> {
    while (!this.isOver) {
      const chunk = await this.source.next();
      const block = chunk === null ? this.finish() : this.scan(chunk);
      if (block !== undefined) return block;
    }
    return null;
  }

  private scan(chunk: Buffer): JsonBlock | undefined {
    const chunkStart = this.offset;
    this.offset += chunk.length;
    const spans = this.scanner.scan(chunk);
    const openAt = this.scanner.open.start;
    let block: JsonBlock | undefined;
    if (spans.length > 0) {
      const bytes = Buffer.concat([...this.openChunks, chunk]);
      const start = chunkStart - (bytes.length - chunk.length);
      block = { bytes, start, spans: this.judged(spans, bytes, start) };
    }
    // Bytes between two texts are not kept.
    if (spans.length > 0 || openAt >= chunkStart) {
      this.openChunks = [];
      this.head = undefined;
    }
    if (openAt < this.offset) this.keep(chunk.subarray(Math.max(0, openAt - chunkStart)), openAt);
    return block;
  }

  private keep(bytes: Buffer, openAt: number): void {
    if (this.head !== undefined) return;
    this.openChunks.push(bytes);
    if (this.offset - openAt <= this.maxBytes) return;
    const all = Buffer.concat(this.openChunks);
    this.head = Buffer.from(all.subarray(0, Math.min(HEAD_BYTES, this.maxBytes)));
    this.openChunks = [];
  }

  /** Returns the texts. A text that is too long has only its beginning. */
  private judged(spans: readonly JsonSpan[], bytes: Buffer, start: number): readonly JsonSpan[] {
    const isUsual = this.head === undefined && !spans.some((span) => span.end - span.start > this.maxBytes);
    if (isUsual) return spans;
    return spans.map((span, index) => {
      if (span.end - span.start <= this.maxBytes) return span;
      const own = index === 0 ? this.head : undefined;
      const from = Math.max(0, span.start - start);
      return { ...span, head: own ?? bytes.subarray(from, from + Math.min(HEAD_BYTES, this.maxBytes)) };
    });
  }

  private finish(): JsonBlock | undefined {
    this.isOver = true;
    const span = this.scanner.finish();
    if (span === undefined) return undefined;
    const bytes = Buffer.concat(this.openChunks);
    return { bytes, start: this.offset - bytes.length, spans: this.judged([span], bytes, this.offset - bytes.length) };
  }
}
