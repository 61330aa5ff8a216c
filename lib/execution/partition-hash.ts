/**
 * Assigns keys to partitions: murmur2 of the key's UTF-8 bytes, made positive by clearing the sign bit, modulo the
 * number of partitions. The default partitioner of Apache Kafka's Java client does the same (`Utils.murmur2`,
 * `Utils.toPositive`), after Austin Appleby's MurmurHash2 with seed 0x9747b28c.
 *
 * Guarantees: a key has the same partition on every machine, in every process, and in Kafka.
 */

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
