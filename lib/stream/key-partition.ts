/** The partition of a key of any type. */
import { FatalTaskError, describeValue } from '../model/errors.js';
import { partitionOf } from '../execution/partition-key.js';

/** Hashes keys that are not strings by their text. A record without a key belongs to the first partition. */
export function partitionOfKey(key: unknown, partitions: number): number {
  if (key === undefined) return 0;
  if (typeof key === 'string' || key instanceof Uint8Array) return partitionOf(key, partitions);
  if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean' || key === null) {
    return partitionOf(String(key), partitions);
  }
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `Expected a key that can be hashed (a string, a number or bytes), got ${describeValue(key)}. Give \`partitionBy\` a function that makes a string`,
  );
}
