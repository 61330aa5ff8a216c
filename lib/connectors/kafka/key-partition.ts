/**
 * The partition of a key, as Kafka's own clients choose it (murmur2, 32 bits, seed 0x9747b28c), so that records of one
 * key meet in one partition whichever program writes them.
 */
export function keyPartition(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

const M = 0x5bd1e995;

function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = 0x9747b28c ^ length;
  const tail = length & ~3;
  for (let i = 0; i < tail; i += 4) {
    let word =
      (data[i] as number) |
      ((data[i + 1] as number) << 8) |
      ((data[i + 2] as number) << 16) |
      ((data[i + 3] as number) << 24);
    word = Math.imul(word, M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  if (length > tail) {
    for (let i = length - 1; i >= tail; i--) hash ^= (data[i] as number) << (8 * (i - tail));
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}
