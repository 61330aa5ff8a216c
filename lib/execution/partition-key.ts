/**
 * Keys by which records are divided: which values are keys, and the partition of each.
 *
 * The partition is murmur2 of the key's UTF-8 bytes, made positive by clearing the sign bit, modulo the
 * number of partitions. The default partitioner of Apache Kafka's Java client does the same (`Utils.murmur2`,
 * `Utils.toPositive`), after Austin Appleby's MurmurHash2 with seed 0x9747b28c.
 *
 * Guarantees: a key has the same partition on every machine, in every process, and in Kafka.
 */
import { MillraceError, describeValue } from '../model/errors.js';
import { refusePromise } from '../model/awaitable.js';

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const ROTATION = 24;

const encoder = new TextEncoder();

/** The partition of a key, 0 ≤ p < `partitions`. */
export function partitionOf(key: string | Uint8Array, partitions: number): number {
  return (murmur2(typeof key === 'string' ? encoder.encode(key) : key) & 0x7fffffff) % partitions;
}

/** The 32-bit hash as a signed integer, like in Java. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> ROTATION;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  const left = length - at;
  if (left === 3) hash ^= (bytes[at + 2] as number) << 16;
  if (left >= 2) hash ^= (bytes[at + 1] as number) << 8;
  if (left >= 1) hash = Math.imul(hash ^ (bytes[at] as number), MULTIPLIER);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/**
 * Returns the key. Throws MILLRACE_INVALID_INPUT for an object, a function or a symbol: each of them equals only itself,
 * even if another one has the same content, so no two records would have one key, and none after a resume.
 * Throws MILLRACE_INVALID_OPTION for a promise.
 * @param part the name of the function, such as 'key'.
 */
export function checkKey<Key>(key: Key, part: string, task: string): Key {
  if (typeof key === 'string' || typeof key === 'number' || key === undefined || key === null) return key;
  if (typeof key === 'boolean' || typeof key === 'bigint') return key;
  refusePromise(key, `\`${part}\` of '${task}'`);
  throw new MillraceError(
    'MILLRACE_INVALID_INPUT',
    `Expected \`${part}\` of '${task}' to return a text, number, bigint, boolean, null or undefined, got ${describeValue(key)}. Return a text instead, for example by JSON.stringify`,
  );
}
