import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { addExactly, roundSum, type Partials } from '#workflows/offer/exact-sum.js';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 });

function sumOf(values: readonly number[]): number {
  const partials: Partials = [];
  for (const value of values) addExactly(partials, value);
  return roundSum(partials);
}

/** The same sum in exact integers: every double is an integer times a power of two. */
function exactSum(values: readonly number[]): number {
  const SHIFT = 1074n;
  let total = 0n;
  for (const value of values) {
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setFloat64(0, value);
    const bits = bytes.getBigUint64(0);
    const exponent = (bits >> 52n) & 0x7ffn;
    const fraction = bits & 0xfffffffffffffn;
    const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
    total += value < 0 || Object.is(value, -0) ? -magnitude : magnitude;
  }
  return scaleDown(total, SHIFT);
}

/** `integer / 2^shift`, rounded half to even. */
function scaleDown(integer: bigint, shift: bigint): number {
  if (integer === 0n) return 0;
  const sign = integer < 0n ? -1 : 1;
  const magnitude = integer < 0n ? -integer : integer;
  const length = BigInt(magnitude.toString(2).length);
  const excess = length - 53n;
  if (excess <= 0n) return sign * Number(magnitude) * 2 ** -Number(shift / 2n) * 2 ** -Number(shift - shift / 2n);
  let kept = magnitude >> excess;
  const rest = magnitude & ((1n << excess) - 1n);
  const half = 1n << (excess - 1n);
  if (rest > half || (rest === half && (kept & 1n) === 1n)) kept += 1n;
  const exponent = Number(excess - shift);
  const first = Math.trunc(exponent / 2);
  return sign * Number(kept) * 2 ** first * 2 ** (exponent - first);
}

describe('the exact sum', () => {
  it('is the true sum, rounded once', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 20 }), (values) => {
        expect(sumOf(values) + 0).toBe(exactSum(values) + 0);
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order of its terms', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (values, draws) => {
        const shuffled = [...values];
        for (let i = shuffled.length - 1; i > 0; i--) {
          const j = (draws.next().value as number) % (i + 1);
          [shuffled[i], shuffled[j]] = [shuffled[j] as number, shuffled[i] as number];
        }
        expect(sumOf(shuffled)).toBe(sumOf(values));
      }),
    );
  });

  it('sums what plain addition gets wrong', () => {
    expect(0.1 + 0.2 + 0.3).not.toBe(0.6);
    expect(sumOf([0.1, 0.2, 0.3])).toBe(0.6);
    expect(sumOf([1e16, 1, 1e-16])).toBe(10000000000000002);
    expect(sumOf([1e308, 1, -1e308])).toBe(1);
    expect(sumOf([])).toBe(0);
  });
});
