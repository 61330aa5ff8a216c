/**
 * Writes text to a file of a store, compressed with gzip if required.
 *
 * Guarantees: the file is visible only once `finish` has resolved. Memory is bounded, because `put` returns a promise
 * while the store is behind. A compressed file is a sequence of gzip members (RFC 1952, section 2.2), each of which is
 * complete at a point. The first error is kept and rejects every later call.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Json } from '../../connect/index.js';
import { MillraceError } from '../../connect/values.js';
import type { FileStore, RowFileKind, StoredOutput } from '../../connect/files.js';
import { isPacked } from './byte-source.js';
import type { ResultFile, ResultFileOptions } from './open-result.js';

/**
 * The number of characters that are collected before they are written. A member of a compressed file has about as many.
 */
const TEXT_CHARACTERS = 512 * 1024;
/** The bytes of an existing file from which its kind is determined. */
const HEAD_BYTES = 64 * 1024;

const pack = promisify(gzip);

export class StoredResult implements ResultFile {
  readonly isStream = false;
  bytesWritten = 0;
  private readonly output: StoredOutput;
  private readonly options: ResultFileOptions;
  private texts: string[] = [];
  private characters = 0;
  /** Writes texts to the store, one after another. */
  private work: Promise<void> = Promise.resolve();
  private failure: { readonly error: unknown } | undefined;
  private isOver = false;

  private constructor(output: StoredOutput, options: ResultFileOptions) {
    this.output = output;
    this.options = options;
  }

  /** Throws MILLRACE_FILE if a file of another kind would be replaced. */
  static async open(store: FileStore, options: ResultFileOptions): Promise<StoredResult> {
    const { path, kind, header, from, signal } = options;
    if (from === undefined) await assertForRowsIn(store, path, kind);
    const file = new StoredResult(await store.create(path, { from, signal }), options);
    if (from === undefined) file.add(header);
    return file;
  }

  put(texts: () => Iterable<string>): void | Promise<void> {
    if (this.isOver) {
      throw new MillraceError('MILLRACE_FILE', `Cannot write ${this.options.path}: it is closed already`);
    }
    for (const text of texts()) this.add(text);
    return this.characters < TEXT_CHARACTERS ? undefined : this.passOn();
  }

  async persist(): Promise<Json> {
    await this.passOn();
    return this.output.persist();
  }

  async finish(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    try {
      await this.passOn();
      await this.output.finish();
    } catch (error) {
      // The error of the writing is the one to report.
      await this.output.abandon().catch(() => undefined);
      throw error;
    }
  }

  async abandon(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    await this.work.catch(() => undefined);
    await this.output.abandon();
  }

  private add(text: string): void {
    this.texts.push(text);
    this.characters += text.length;
  }

  /** Writes the collected texts to the store. Resolves when there is room for more. */
  private passOn(): Promise<void> {
    const text = this.texts.join('');
    this.texts = [];
    this.characters = 0;
    this.work = this.work.then(async () => {
      if (this.failure !== undefined) throw this.failure.error;
      if (text === '') return;
      try {
        const bytes = isPacked(this.options.path) ? await pack(text) : Buffer.from(text);
        this.bytesWritten += bytes.length;
        await this.output.write(bytes);
      } catch (error) {
        this.failure = { error };
        throw error;
      }
    });
    // Prevents an unhandled rejection: this caller or a later one receives the error.
    this.work.catch(() => undefined);
    return this.work;
  }
}

/** Like `assertForRows` for the disk: throws MILLRACE_FILE if rows would replace a file of another kind. */
export async function assertForRowsIn(store: FileStore, path: string, kind: RowFileKind): Promise<void> {
  if (kind.names.test(isPacked(path) ? path.replace(/\.gz$/i, '') : path)) return;
  const found = await store.find(path);
  if (found === undefined || found.size === 0) return;
  const input = await store.open(path, { start: 0 });
  try {
    const head = (await input.read()) ?? new Uint8Array();
    if (kind.isKnownBy(Buffer.from(head).toString('utf8', 0, HEAD_BYTES))) return;
  } finally {
    await input.close();
  }
  throw new MillraceError(
    'MILLRACE_FILE',
    `Cannot write rows to ${path}: it holds something else, which they would replace. Move it away, or name a file that ends in ${kind.ending}`,
  );
}
