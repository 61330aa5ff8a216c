/** The hash is Kafka's: the vectors are those of its own tests (`UtilsTest.testMurmur2`) and of librdkafka. */
import { describe, expect, it } from '@jest/globals';
import { murmur2, partitionOf } from '#lib/execution/partition-key.js';

describe('murmur2', () => {
  it.each([
    ['', 275646681],
    ['21', -973932308],
    ['abc', 479470107],
    ['1234', -1614185708],
    ['kafka', -798503068],
    ['foobar', -790332482],
    ['giberish123456789', -1890243828],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('of %j is %i', (key, hash) => {
    expect(murmur2(new TextEncoder().encode(key))).toBe(hash);
  });
});

describe('partitionOf', () => {
  it('clears the sign bit, as `toPositive` does, instead of taking the absolute value', () => {
    expect(partitionOf('foobar', 50)).toBe(16);
    expect(partitionOf('21', 1000)).toBe((-973932308 & 0x7fffffff) % 1000);
  });

  it('hashes the UTF-8 bytes of a string', () => {
    expect(partitionOf('Zoë', 997)).toBe(partitionOf(new Uint8Array([0x5a, 0x6f, 0xc3, 0xab]), 997));
  });

  it('spreads keys over all partitions, evenly enough', () => {
    const counts = new Array<number>(8).fill(0);
    for (let n = 0; n < 8000; n++) {
      const partition = partitionOf(`key ${n}`, 8);
      counts[partition] = (counts[partition] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1150);
  });
});
