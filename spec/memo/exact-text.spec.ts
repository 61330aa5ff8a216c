/** Values as text: what is read back is equal, and different values have different texts. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDeepStrictEqual } from 'node:util';
import { exactText, exactValue } from '#lib/memo/exact-text.js';

const SAMPLES: readonly unknown[] = [
  ...[undefined, null, true, false, '', 'text', '\ud800', 0, -0, NaN, Infinity, -Infinity, 1e21, 0.1, 2 ** 53, 5n, -5n],
  ...[[], [[]], [undefined], [''], ['', 1], ['number', '-0'], ['hole'], new Array(2), [1, , 3]],
  ...[
    {},
    { a: undefined },
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    { '': 1 },
    { 1: 'one', 0: 'zero' },
    Object.create(null) as unknown,
  ],
  ...[JSON.parse('{"__proto__":1}') as unknown, { ['constructor']: 1 }, { toJSON: 1 }, new Date(0)],
  ...[new Map(), new Map<unknown, unknown>([[{ a: 1n }, new Set([-0, NaN])]]), new Set(), new Set([new Map()])],
  ...[new Uint8Array([1, 2]), Buffer.from([1, 2]), new Float64Array([-0, NaN]), new BigInt64Array([5n])],
  ...[new ArrayBuffer(3), new DataView(new ArrayBuffer(2)), new Uint8Array(Buffer.from('abcdef').buffer, 1, 2)],
];

describe('the exact text of a value', () => {
  it.each(SAMPLES.map((value) => [value]))('is read back as the same value: %p', (value) => {
    const text = exactText(value) as string;
    expect(isDeepStrictEqual(exactValue(text), value)).toBe(true);
    expect(exactText(exactValue(text))).toBe(text);
  });

  it('keeps a date that is none', () => {
    expect((exactValue(exactText(new Date(NaN)) as string) as Date).getTime()).toBeNaN();
  });

  it('is different for different values', () => {
    // Empty texts of bytes and lengths of their buffers are not part of a value.
    expect(new Set(SAMPLES.map(exactText)).size).toBe(SAMPLES.length);
  });

  it('depends on the order of properties and of members, because a function can see it', () => {
    expect(exactText({ a: 1, b: 2 })).not.toBe(exactText({ b: 2, a: 1 }));
    expect(exactText(new Set([1, 2]))).not.toBe(exactText(new Set([2, 1])));
    expect(Object.keys(exactValue(exactText({ b: 2, a: 1 }) as string) as object)).toEqual(['b', 'a']);
  });

  it('round-trips any value that it represents', () => {
    const anything = fc.anything({
      ...{ withBigInt: true, withMap: true, withSet: true, withNullPrototype: true },
      ...{ withObjectString: true, withSparseArray: true, withTypedArray: true, maxDepth: 4 },
    });
    fc.assert(
      fc.property(anything, anything, (one, other) => {
        const [text, another] = [exactText(one), exactText(other)];
        if (text !== undefined && !isDeepStrictEqual(exactValue(text), one)) return false;
        return text === undefined || text !== another || isDeepStrictEqual(one, other);
      }),
    );
  });

  it('does not exist where reading it would give something else', () => {
    class Money {
      readonly cents = 5;
    }
    class Many extends Map {}
    const circle: unknown[] = [];
    circle.push(circle);
    const named = Object.assign([1], { total: 1 });
    const hidden = Object.defineProperty({}, 'secret', { value: 1, enumerable: false });
    const accessor = {
      get now() {
        return 1;
      },
    };
    const without: readonly unknown[] = [
      ...[new Money(), { deep: [new Money()] }, new Many(), () => 1, Symbol('x'), { [Symbol('x')]: 1 }, circle, named],
      hidden,
      accessor,
      Object.assign(new Date(0), { zone: 'UTC' }),
      new Error('no'),
      /x/,
      Promise.resolve(),
      Object(1),
      ...[
        Object.create({ inherited: 1 }) as unknown,
        new Uint8Array(new SharedArrayBuffer(1)),
        'x'.repeat(17 * 1024 * 1024),
      ],
    ];
    expect(without.map(exactText)).toEqual(without.map(() => undefined));
  });

  it('does not exist for a value that is too large for a text, in one piece or in many', () => {
    const part = 'x'.repeat(15 * 2 ** 20);
    const parts = Array.from({ length: 40 }, () => part);
    const large = [
      parts,
      new Map(parts.entries()),
      Object.fromEntries(parts.entries()),
      Buffer.alloc(17 * 2 ** 20),
      { [part]: { [part]: 1 } },
    ];
    expect(large.map(exactText)).toEqual(large.map(() => undefined));
  });

  it('does not exist for a value that throws when it is read', () => {
    const trap = (): never => {
      throw new Error('trap');
    };
    const hostile = [new Proxy({}, { ownKeys: trap }), new Proxy({}, { getPrototypeOf: trap })];
    expect(hostile.map(exactText)).toEqual([undefined, undefined]);
  });

  it('does not grow without bound for a value that contains another one many times', () => {
    let doubled: unknown[] = [0];
    for (let depth = 0; depth < 60; depth++) doubled = [doubled, doubled];
    expect(exactText(doubled)).toBeUndefined();
  });
});
