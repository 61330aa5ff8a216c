/** Classes whose instances a copy would lose, in values of any size. */
import { describe, expect, it } from '@jest/globals';
import { lostClass } from '#lib/stream/lost-class.js';

class Money {
  readonly cents = 1;
}

describe('lostClass', () => {
  it('finds an instance in objects, arrays, sets and maps', () => {
    for (const value of [{ a: [new Money()] }, new Set([new Money()]), new Map([[1, { b: new Money() }]])]) {
      expect(lostClass(value)).toBe('Money');
    }
    expect(
      lostClass({ at: new Date(), of: new Map([['a', new Set([1n])]]), error: new RangeError('x') }),
    ).toBeUndefined();
  });

  it('looks at a part of what is too large to be looked at whole', () => {
    const numbers = Array.from({ length: 200_000 }, (_, n) => n);
    const pairs = new Map(numbers.map((n) => [n, n]));
    for (const value of [numbers, new Set(numbers), pairs, Object.fromEntries(pairs)]) {
      expect(lostClass(value)).toBeUndefined();
    }
  });
});
