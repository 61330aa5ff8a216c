/**
 * An object store that speaks the protocol of S3, as a place of files: AWS, MinIO, Ceph, R2 and others.
 *
 * Guarantees: those of `S3Input` and `S3Output`. No connection is made before the first request for a file.
 */
import { anObject, callback, checkOptions, either, flag, text, type OptionRules } from '../../connect/index.js';
import { MillraceError } from '../../connect/values.js';
import type {
  FileStore,
  StoredEntry,
  StoredFile,
  StoredInput,
  StoredOutput,
  StoredReading,
  StoredWriting,
} from '../../connect/files.js';
import { S3Client, S3Error, s3Failure } from './s3-client.js';
import { S3Input } from './s3-input.js';
import { listObjects } from './s3-listing.js';
import { lookAt, nameOf } from './s3-object.js';
import { S3Output } from './s3-output.js';
import { S3Settings, type S3Options } from './s3-settings.js';

const RULES: OptionRules<S3Options> = {
  endpoint: text,
  region: text,
  credentials: either(callback, anObject),
  pathStyle: flag,
};

/**
 * The store behind paths that begin with `s3://`, for the option `store` of sources and sinks of files. Without that
 * option, they use a store with the settings of the environment. Throws MILLRACE_INVALID_OPTION for options that do not
 * fit.
 *
 * @example csvSource({ path: 's3://sales/2026.csv', store: s3Store({ endpoint: 'http://127.0.0.1:9000' }) })
 */
export function s3Store(options: S3Options = {}): FileStore {
  checkOptions('an s3Store', options, RULES);
  return new S3Store(new S3Client(new S3Settings(options, process.env)));
}

class S3Store implements FileStore {
  private readonly client: S3Client;

  constructor(client: S3Client) {
    this.client = client;
  }

  async find(path: string): Promise<StoredFile | undefined> {
    return (await lookAt(this.client, path))?.file;
  }

  async list(folder: string): Promise<readonly StoredEntry[]> {
    const { bucket, key: prefix } = nameOf(folder);
    const entries: StoredEntry[] = [];
    try {
      for await (const object of listObjects(this.client, { bucket, prefix, delimiter: '/' })) {
        const { key, isPrefix, size, changedAt, etag } = object;
        const name = key.slice(prefix.length, isPrefix ? -1 : undefined);
        // In some tools, an object with the name of the folder represents the folder.
        if (name === '') continue;
        const file = { path: `${folder}${name}`, size, changedAt, version: etag };
        entries.push(isPrefix ? { name, isFolder: true } : { name, isFolder: false, file });
      }
    } catch (error) {
      throw s3Failure('read', folder, error);
    }
    return entries;
  }

  open(path: string, reading: StoredReading): Promise<StoredInput> {
    return S3Input.open(this.client, path, reading);
  }

  async check(path: string): Promise<void> {
    const { bucket, key } = nameOf(path);
    if (key === '' || key.endsWith('/')) {
      throw new MillraceError('MILLRACE_FILE', `Cannot write ${path}: it names no object; add a name such as out.csv`);
    }
    try {
      await this.client.text({ method: 'HEAD', bucket, key: '' });
    } catch (error) {
      // A user who may only write objects may not read the bucket.
      if (error instanceof S3Error && error.status === 403) return;
      const isMissing = error instanceof S3Error && error.status === 404;
      throw s3Failure('write', path, isMissing ? new S3Error('', { status: 404, code: 'NoSuchBucket' }) : error);
    }
  }

  create(path: string, writing: StoredWriting): Promise<StoredOutput> {
    return S3Output.open(this.client, path, writing);
  }

  async remove(path: string): Promise<void> {
    try {
      await this.client.text({ method: 'DELETE', ...nameOf(path) });
    } catch (error) {
      throw s3Failure('write', path, error);
    }
  }
}
