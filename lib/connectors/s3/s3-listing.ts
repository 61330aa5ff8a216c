/** Lists objects of a bucket, page by page, in the order of their keys. */
import type { S3Client } from './s3-client.js';
import { wholeSeconds } from './s3-object.js';
import { elements, textOf } from './xml.js';

export interface ListRequest {
  readonly bucket: string;
  /** The beginning of the keys. */
  readonly prefix: string;
  /** Keys that are equal up to this text after the prefix form one entry. */
  readonly delimiter?: string;
}

/** An object, or the common beginning of several if `isPrefix`. */
export interface ListedObject {
  readonly key: string;
  readonly isPrefix: boolean;
  readonly size: number;
  readonly changedAt: number;
  readonly etag: string;
}

/** Throws S3Error. */
export async function* listObjects(
  client: S3Client,
  { bucket, prefix, delimiter }: ListRequest,
): AsyncGenerator<ListedObject> {
  for (let token: string | undefined; ;) {
    const query = {
      'list-type': '2',
      // XML cannot hold all characters of keys.
      'encoding-type': 'url',
      prefix,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(token === undefined ? {} : { 'continuation-token': token }),
    };
    const { text } = await client.text({ method: 'GET', bucket, key: '', query });
    for (const object of elements(text, 'Contents')) {
      yield {
        key: keyOf(object, 'Key'),
        isPrefix: false,
        size: Number(textOf(object, 'Size')),
        changedAt: wholeSeconds(Date.parse(textOf(object, 'LastModified') ?? '')),
        etag: textOf(object, 'ETag') ?? '',
      };
    }
    for (const group of elements(text, 'CommonPrefixes')) {
      yield { key: keyOf(group, 'Prefix'), isPrefix: true, size: 0, changedAt: 0, etag: '' };
    }
    token = textOf(text, 'IsTruncated') === 'true' ? textOf(text, 'NextContinuationToken') : undefined;
    if (token === undefined) return;
  }
}

function keyOf(xml: string, name: string): string {
  return decodeURIComponent((textOf(xml, name) ?? '').replaceAll('+', ' '));
}
