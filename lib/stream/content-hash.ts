/** A short text that differs where values differ, for the identity of an output that only its content can name. */
import { partitionOf } from '../execution/partition-key.js';
import { describeValue } from '../model/errors.js';

/**
 * 31 bits of murmur2 over the JSON of the value: two values with one hash are rare, and then share an idempotency key.
 */
export function contentHash(value: unknown): string {
  return partitionOf(textOf(value), 2 ** 31 - 1).toString(16);
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify([value], (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part));
  } catch {
    return describeValue(value);
  }
}
