/** Requests the facts about one object: its size, its version, and the name that a run has given its result. */
import type { StoredFile } from '../../connect/files.js';
import { MillraceError } from '../../connect/values.js';
import { S3Error, s3Failure, type S3Answer, type S3Client, type S3Name } from './s3-client.js';

/** The header with the name that a run has given its result. */
export const RESULT_HEADER = 'x-amz-meta-millrace-result';

/** An object that exists. */
export interface S3Object {
  readonly file: StoredFile;
  /** The value of `RESULT_HEADER`. */
  readonly result: string | undefined;
}

/** The bucket and the key of a URL. Throws MILLRACE_INVALID_OPTION if there is no bucket. */
export function nameOf(path: string): S3Name {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)(?:\/(.*))?$/is.exec(path) ?? [];
  if (bucket !== undefined) return { bucket, key };
  throw new MillraceError('MILLRACE_INVALID_OPTION', `Expected a path such as s3://bucket/name.csv, got '${path}'`);
}

/** Undefined if there is no such object. Throws MILLRACE_FILE. */
export async function lookAt(client: S3Client, path: string, signal?: AbortSignal): Promise<S3Object | undefined> {
  try {
    const { headers } = await client.text({ method: 'HEAD', ...nameOf(path), signal });
    return { file: fileOf(path, headers), result: headers[RESULT_HEADER] };
  } catch (error) {
    if (error instanceof S3Error && error.status === 404) return undefined;
    throw s3Failure('read', path, error);
  }
}

function fileOf(path: string, headers: S3Answer['headers']): StoredFile {
  return {
    path,
    size: Number(headers['content-length'] ?? 0),
    changedAt: wholeSeconds(Date.parse(headers['last-modified'] ?? '')),
    version: headers['etag'] ?? '',
  };
}

/** A listing contains milliseconds, but the headers of an object do not, so both are cut to whole seconds. */
export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
