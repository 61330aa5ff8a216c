/**
 * Writes an object as a multipart upload, which appears as a whole.
 *
 * Guarantees: the object appears when `finish` has resolved, and never in part. A part that was uploaded is never
 * uploaded again by a resumed run. A part must have 5 MiB, so at each point the bytes after the last part are stored in
 * a separate object, the *tail*, which is removed at the end. The etags of the parts are checked when the upload is
 * completed, so a process that still runs after it was replaced cannot add its bytes. At most three parts are in
 * memory.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Json } from '../../connect/index.js';
import { MillraceError } from '../../connect/values.js';
import type { StoredOutput, StoredWriting } from '../../connect/files.js';
import { bytesOf, S3Error, s3Failure, type S3Client, type S3Name } from './s3-client.js';
import { listObjects } from './s3-listing.js';
import { lookAt, nameOf, RESULT_HEADER } from './s3-object.js';
import { elements, escaped, textOf } from './xml.js';

/** A part has at least 5 MiB, and an upload at most 10,000 parts: they grow, so a result may have 400 GiB. */
const PART_BYTES = 8 * 2 ** 20;
const LEAST_PART_BYTES = 5 * 2 ** 20;
const PARTS_OF_A_SIZE = 1000;
/** How many parts are uploaded at the same time. */
const PARALLEL = 2;
/** The most bytes that the store copies at once, with a last copy of up to twice as many; its limit is 5 GiB. */
const COPY_BYTES = 2 * 2 ** 30;

/** A tail: the bytes after the last part, in a separate object. */
interface KeptTail {
  readonly [name: string]: Json;
  readonly key: string;
  readonly bytes: number;
  readonly hash: string;
}

/** A point in a result. */
interface S3Point {
  readonly [name: string]: Json;
  /** The name of the result: all incarnations of a run have the same. */
  readonly result: string;
  readonly bytes: number;
  /** The upload; null if no part has been uploaded. */
  readonly upload: string | null;
  readonly parts: number;
  /** A hash of the etags of the parts. */
  readonly etags: string;
  readonly tail: KeptTail | null;
}

/** A part that is in the store. */
interface Part {
  readonly number: number;
  readonly etag: string;
}

export class S3Output implements StoredOutput {
  private readonly client: S3Client;
  private readonly path: string;
  private readonly name: S3Name;
  private readonly signal: AbortSignal | undefined;
  private readonly result: string;
  /** Distinguishes the tails of this incarnation from those of other ones. */
  private readonly token = newToken();
  private upload: Promise<string> | undefined;
  private readonly parts: Promise<Part>[] = [];
  private readonly pending = new Set<Promise<unknown>>();
  private tail: Uint8Array[] = [];
  private tailBytes = 0;
  private bytes = 0;
  private last: S3Point | undefined;
  /** The tail of the point before the last one. */
  private outdated: string | undefined;
  private tails = 0;
  /** Whether there may be tails of this result. */
  private hasTails = false;
  private failure: { readonly error: unknown } | undefined;

  private constructor(client: S3Client, path: string, result: string, signal: AbortSignal | undefined) {
    this.client = client;
    this.path = path;
    this.name = nameOf(path);
    this.result = result;
    this.signal = signal;
  }

  /** Throws MILLRACE_RESUME if the store does not contain the bytes that were written up to the point. */
  static async open(client: S3Client, path: string, { from, signal }: StoredWriting): Promise<S3Output> {
    const point = from as S3Point | undefined;
    const output = new S3Output(client, path, point?.result ?? newToken(), signal);
    try {
      if (point !== undefined) await output.resume(point);
    } catch (error) {
      throw s3Failure('write', path, error);
    }
    return output;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.failure !== undefined) return Promise.reject(s3Failure('write', this.path, this.failure.error));
    this.keep(bytes);
    if (this.tailBytes < this.partBytes()) return undefined;
    this.addPart();
    return this.pending.size < PARALLEL ? undefined : this.untilRoom();
  }

  async persist(): Promise<Json> {
    await this.settle();
    const { last } = this;
    if (last?.bytes === this.bytes) return last;
    try {
      // The checkpoint with the last point is durable, so the point before it is not needed any more.
      if (this.outdated !== undefined) await this.removeTail(this.outdated);
      this.outdated = undefined;
      const tail = this.tailBytes === 0 ? null : await this.keepTail();
      const parts = await Promise.all(this.parts);
      const upload = (await this.upload) ?? null;
      const { result, bytes } = this;
      this.outdated = last?.tail?.key;
      this.last = { result, bytes, upload, parts: parts.length, etags: hashOf(parts), tail };
      return this.last;
    } catch (error) {
      throw s3Failure('write', this.path, error);
    }
  }

  async finish(): Promise<void> {
    const { client, name, signal } = this;
    await this.settle();
    try {
      if (this.upload === undefined) {
        const headers = { [RESULT_HEADER]: this.result };
        await client.text({ method: 'PUT', ...name, headers, body: Buffer.concat(this.tail), signal });
      } else {
        if (this.tailBytes > 0) this.addPart();
        await this.complete(await this.upload, await Promise.all(this.parts));
      }
      if (this.hasTails) await this.removeTails(undefined);
    } catch (error) {
      throw s3Failure('write', this.path, error);
    }
  }

  async abandon(): Promise<void> {
    await Promise.allSettled(this.pending);
    // A later incarnation of the run continues at the last point.
    if (this.last !== undefined || this.upload === undefined) return;
    const uploadId = await this.upload.catch(() => undefined);
    if (uploadId === undefined) return;
    await this.client
      .text({ method: 'DELETE', ...this.name, query: { uploadId } })
      .catch((error: unknown) => Promise.reject(s3Failure('write', this.path, error)));
  }

  private partBytes(): number {
    return PART_BYTES * (1 + Math.floor(this.parts.length / PARTS_OF_A_SIZE));
  }

  private keep(bytes: Uint8Array): void {
    this.tail.push(bytes);
    this.tailBytes += bytes.length;
    this.bytes += bytes.length;
  }

  /** Starts to upload the bytes after the last part. */
  private addPart(): void {
    const body = Buffer.concat(this.tail);
    this.tail = [];
    this.tailBytes = 0;
    const number = this.parts.length + 1;
    this.upload ??= this.begin();
    const work = this.upload.then((uploadId) => this.uploadPart(uploadId, number, body));
    this.parts.push(work);
    this.pending.add(work);
    work
      .catch((error: unknown) => {
        this.failure ??= { error };
      })
      .finally(() => this.pending.delete(work));
  }

  private async begin(): Promise<string> {
    const { client, name, result } = this;
    const headers = { [RESULT_HEADER]: result };
    // Without the signal of the run, because an upload without a known id could not be aborted.
    const { text } = await client.text({ method: 'POST', ...name, query: { uploads: '' }, headers });
    return textOf(text, 'UploadId') ?? '';
  }

  private async uploadPart(uploadId: string, number: number, body: Uint8Array): Promise<Part> {
    const query = { partNumber: String(number), uploadId };
    const { headers } = await this.client.text({ method: 'PUT', ...this.name, query, body, signal: this.signal });
    return { number, etag: headers['etag'] ?? '' };
  }

  private async complete(uploadId: string, parts: readonly Part[]): Promise<void> {
    const list = parts.map(
      ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    );
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`);
    try {
      await this.client.text({ method: 'POST', ...this.name, query: { uploadId }, body, signal: this.signal });
    } catch (error) {
      // The answer to an earlier attempt may have been lost.
      const isGone = error instanceof S3Error && error.code === 'NoSuchUpload';
      if (!isGone || (await lookAt(this.client, this.path))?.result !== this.result) throw error;
    }
  }

  private async untilRoom(): Promise<void> {
    while (this.pending.size >= PARALLEL && this.failure === undefined) {
      await Promise.race(this.pending).catch(() => undefined);
      // The part removes itself from `pending` after this.
      await Promise.resolve();
    }
    this.throwIfFailed();
  }

  /** Waits for all parts. */
  private async settle(): Promise<void> {
    await Promise.allSettled(this.pending);
    this.throwIfFailed();
  }

  private throwIfFailed(): void {
    if (this.failure !== undefined) throw s3Failure('write', this.path, this.failure.error);
  }

  private async keepTail(): Promise<KeptTail> {
    const body = Buffer.concat(this.tail);
    this.tail = [body];
    this.hasTails = true;
    const { bucket, key } = this.name;
    const kept = { bucket, key: `${key}.${this.result}-${this.token}-${this.tails++}.part` };
    await this.client.text({ method: 'PUT', ...kept, body, signal: this.signal });
    return { key: kept.key, bytes: body.length, hash: sha256(body) };
  }

  private async removeTail(key: string): Promise<void> {
    await this.client.text({ method: 'DELETE', bucket: this.name.bucket, key });
  }

  /** Removes the tails of all incarnations of this result, except this one. */
  private async removeTails(but: string | undefined): Promise<void> {
    const { bucket, key } = this.name;
    for await (const { key: found } of listObjects(this.client, { bucket, prefix: `${key}.${this.result}-` })) {
      if (found !== but && found.endsWith('.part')) await this.removeTail(found);
    }
  }

  private async resume(point: S3Point): Promise<void> {
    const isOpen = (await this.bringBackParts(point)) && (await this.bringBackTail(point));
    if (isOpen) this.last = point;
    else await this.bringBackResult(point);
    this.bytes = point.bytes;
    this.hasTails = true;
    await this.removeTails(point.tail?.key);
  }

  /** Restores the parts that are in the store. Resolves with false if the upload is over. */
  private async bringBackParts({ upload, parts, etags }: S3Point): Promise<boolean> {
    if (upload === null) return true;
    const found = await this.partsOf(upload, parts);
    if (found === undefined) return false;
    if (found.length !== parts || hashOf(found) !== etags) throw this.lost('its parts are not what this run uploaded');
    this.upload = Promise.resolve(upload);
    this.parts.push(...found.map((part) => Promise.resolve(part)));
    return true;
  }

  /** The first parts of an upload; undefined if there is no such upload. */
  private async partsOf(uploadId: string, count: number): Promise<readonly Part[] | undefined> {
    const found: Part[] = [];
    for (let after = '0'; found.length < count;) {
      const query = { uploadId, 'part-number-marker': after };
      try {
        const { text } = await this.client.text({ method: 'GET', ...this.name, query });
        const page = elements(text, 'Part').map((part) => ({
          number: Number(textOf(part, 'PartNumber')),
          etag: textOf(part, 'ETag') ?? '',
        }));
        found.push(...page);
        if (textOf(text, 'IsTruncated') !== 'true' || page.length === 0) break;
        after = String(page.at(-1)?.number);
      } catch (error) {
        if (error instanceof S3Error && error.code === 'NoSuchUpload') return undefined;
        throw error;
      }
    }
    return found.slice(0, count);
  }

  /** Restores the bytes after the last part. Resolves with false if their object is gone. */
  private async bringBackTail({ tail, upload }: S3Point): Promise<boolean> {
    if (tail === null) return upload !== null;
    const { bucket } = this.name;
    try {
      const { body } = await this.client.send({ method: 'GET', bucket, key: tail.key });
      const bytes = await bytesOf(body);
      if (sha256(bytes) !== tail.hash) throw this.lost(`${tail.key} is not what this run wrote`);
      this.tail = [bytes];
      this.tailBytes = bytes.length;
      return true;
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return false;
      throw error;
    }
  }

  /**
   * Restores the bytes from the result, because an earlier incarnation has completed it and removed the upload and the
   * tail.
   */
  private async bringBackResult({ bytes }: S3Point): Promise<void> {
    this.upload = undefined;
    this.parts.length = 0;
    const found = bytes === 0 ? undefined : await lookAt(this.client, this.path);
    if (bytes === 0) return;
    if (found?.result !== this.result || found.file.size < bytes) {
      throw this.lost(found === undefined ? 'the upload does not exist any more' : 'it is not what this run wrote');
    }
    const { client, name } = this;
    const version = found.file.version;
    if (bytes < LEAST_PART_BYTES) {
      const headers = { range: `bytes=0-${bytes - 1}`, 'if-match': version };
      const { body } = await client.send({ method: 'GET', ...name, headers });
      this.tail = [await bytesOf(body)];
      this.tailBytes = bytes;
      return;
    }
    const uploadId = await (this.upload = this.begin());
    const source = `/${name.bucket}/${name.key.split('/').map(encodeURIComponent).join('/')}`;
    const copies = Math.max(1, Math.floor(bytes / COPY_BYTES));
    for (let i = 0; i < copies; i++) {
      const end = i === copies - 1 ? bytes : (i + 1) * COPY_BYTES;
      const headers = {
        'x-amz-copy-source': source,
        'x-amz-copy-source-range': `bytes=${i * COPY_BYTES}-${end - 1}`,
        'x-amz-copy-source-if-match': version,
      };
      const query = { partNumber: String(i + 1), uploadId };
      const { text } = await client.text({ method: 'PUT', ...name, query, headers });
      this.parts.push(Promise.resolve({ number: i + 1, etag: textOf(text, 'ETag') ?? '' }));
    }
  }

  private lost(what: string): MillraceError {
    return new MillraceError(
      'MILLRACE_RESUME',
      `Cannot go on with ${this.path}: ${what}. Put it back as it was, or start a new run`,
    );
  }
}

function newToken(): string {
  return randomBytes(6).toString('hex');
}

function hashOf(parts: readonly Part[]): string {
  return sha256(parts.map(({ etag }) => etag.replaceAll('"', '')).join(' '));
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 32);
}
