/**
 * Reads the bytes of an object, from a given byte on.
 *
 * Guarantees: all bytes are those of one version, because each request asks for it. A connection that breaks is
 * replaced by one that continues at the next byte. The store sends no more than the reader and its socket can buffer.
 */
import { MillraceError } from '../../connect/values.js';
import type { StoredFile, StoredInput, StoredReading } from '../../connect/files.js';
import { S3Error, s3Failure, type S3Answer, type S3Client } from './s3-client.js';
import { lookAt, nameOf } from './s3-object.js';

/** The most connections in a row that may break before a byte has come. */
const MOST_BROKEN = 5;

export class S3Input implements StoredInput {
  readonly file: StoredFile;
  private readonly client: S3Client;
  private readonly signal: AbortSignal;
  private readonly closing = new AbortController();
  private at: number;
  private body: S3Answer['body'] | undefined;
  private chunks: AsyncIterator<Buffer> | undefined;
  private broken = 0;

  private constructor(client: S3Client, file: StoredFile, { start, signal }: StoredReading) {
    this.client = client;
    this.file = file;
    this.at = start;
    const { signal: closed } = this.closing;
    this.signal = signal === undefined ? closed : AbortSignal.any([signal, closed]);
  }

  /** Throws MILLRACE_FILE if there is no such object, or if it has another version. */
  static async open(client: S3Client, path: string, reading: StoredReading): Promise<S3Input> {
    const found = await lookAt(client, path, reading.signal);
    if (found === undefined) throw s3Failure('read', path, new S3Error('', { status: 404, code: 'NoSuchKey' }));
    if (reading.version !== undefined && reading.version !== found.file.version) throw changed(path);
    return new S3Input(client, found.file, reading);
  }

  async read(): Promise<Uint8Array | null> {
    const { path, size } = this.file;
    while (this.at < size && !this.isClosed()) {
      try {
        this.chunks ??= await this.connect();
        const step = await this.chunks.next();
        if (step.done === true) throw new Error(`the connection ended after byte ${this.at} of ${size}`);
        this.at += step.value.length;
        this.broken = 0;
        return step.value;
      } catch (error) {
        this.disconnect();
        if (this.isClosed()) break;
        if (error instanceof S3Error && (error.status === 412 || error.status === 416)) throw changed(path);
        // The client has already repeated a request that was refused.
        if (error instanceof S3Error || this.signal.aborted || ++this.broken > MOST_BROKEN) {
          throw s3Failure('read', path, error);
        }
      }
    }
    return null;
  }

  close(): void {
    this.closing.abort();
    this.disconnect();
  }

  private async connect(): Promise<AsyncIterator<Buffer>> {
    const { path, version } = this.file;
    const headers = { 'if-match': version, ...(this.at === 0 ? {} : { range: `bytes=${this.at}-` }) };
    const { body } = await this.client.send({ method: 'GET', ...nameOf(path), headers, signal: this.signal });
    // An abort is reported by the read.
    body.on('error', () => undefined);
    this.body = body;
    return body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  private isClosed(): boolean {
    return this.closing.signal.aborted;
  }

  private disconnect(): void {
    this.chunks = undefined;
    this.body?.destroy();
    this.body = undefined;
  }
}

function changed(path: string): MillraceError {
  return new MillraceError(
    'MILLRACE_FILE',
    `${path} changed while it was read: another object took its place. Its rows may be of two versions. ` +
      'Run again when no program writes to it, or read a copy',
  );
}
