/**
 * The place of a file: on the disk, or in a store if the path is a URL.
 *
 * Guarantees: a path without a scheme is a file of the disk. The store of a well-known scheme is loaded only when a
 * path needs it, with settings of the environment.
 */
import { resolve } from 'node:path';
import type { Dataset, TouchedFile } from '../../connect/index.js';
import { touchedFile, type FileStore } from '../../connect/files.js';
import { describeValue, MillraceError } from '../../connect/values.js';

const URL_START = /^([a-z][a-z0-9+.-]+):\/\//i;

/** Whether a path is a URL, and so the file is in a store. */
export function isInStore(path: string): boolean {
  return URL_START.test(path);
}

/**
 * The store of a path; undefined for the disk. Throws MILLRACE_INVALID_OPTION for a URL without a store, and for a
 * store without a URL.
 */
export async function storeOf(path: string, given: FileStore | undefined): Promise<FileStore | undefined> {
  const scheme = URL_START.exec(path)?.[1]?.toLowerCase();
  if (scheme === undefined && given === undefined) return undefined;
  if (scheme === undefined) {
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected a path with \`store\` to be a URL such as s3://bucket/name, got ${describeValue(path)}`,
    );
  }
  if (given !== undefined) return given;
  if (scheme === 's3') return (await import('../s3/s3-store.js')).s3Store();
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    `Expected a path of the disk, or a URL with s3://, got ${describeValue(path)}. For another store, set the option \`store\``,
  );
}

/** The file of a path, as a task declares it. */
export function touchedAt(path: string, use: TouchedFile['use']): TouchedFile {
  return isInStore(path) ? { path, given: path, use, identity: path } : touchedFile(path, use);
}

/** The dataset of a path, named as OpenLineage names it. */
export function datasetAt(path: string): Dataset {
  const [, scheme, place = '', name = ''] = /^([^:]+):\/\/([^/]*)\/?(.*)$/s.exec(isInStore(path) ? path : '') ?? [];
  if (scheme === undefined) return { namespace: 'file', name: resolve(path) };
  return { namespace: `${scheme.toLowerCase()}://${place}`, name };
}
