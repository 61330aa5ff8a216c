import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { TaskAccount } from '#lib/ledger/account.js';
import { describeThrown, describeValue, ERROR_CODES, MillraceError } from '#lib/model/errors.js';
import { Histogram } from '#lib/measure/histogram.js';
import { nearest } from '#lib/text/nearest.js';
import { seededRandom } from '#lib/execution/random.js';
import { checkNumber } from '#lib/options/options.js';
import { Ring } from '#lib/ledger/ring.js';
import { validate } from '#lib/options/schema.js';

describe('a ring', () => {
  it('gives items back in order, any values, and refuses more than its capacity', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.option(fc.anything())), (capacity, commands) => {
        const ring = new Ring<unknown>(capacity);
        const model: unknown[] = [];
        for (const command of commands) {
          if (command === null && model.length > 0) expect(ring.shift()).toBe(model.shift());
          else if (model.length < capacity) {
            ring.push(command);
            model.push(command);
          } else
            expect(() => {
              ring.push(command);
            }).toThrow('pushed beyond its capacity');
          expect(ring.size).toBe(model.length);
        }
      }),
    );
  });
});

describe('a histogram', () => {
  it('gives quantiles within 4 % of those of the sorted samples, and the exact count and maximum', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.05, max: 100_000, noNaN: true }), { minLength: 1 }), (samples) => {
        const histogram = new Histogram();
        for (const sample of samples) histogram.record(sample);
        const sorted = [...samples].sort((a, b) => a - b);
        for (const share of [0.5, 0.9, 0.99, 1]) {
          const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
          expect(Math.abs(histogram.quantileMs(share) - exact)).toBeLessThanOrEqual(exact * 0.04 + 0.001);
        }
        expect([histogram.count, histogram.maxMs]).toEqual([samples.length, sorted.at(-1)]);
      }),
    );
  });

  it('is the same merged from parts', () => {
    const [one, two, all] = [new Histogram(), new Histogram(), new Histogram()];
    for (let i = 1; i <= 1000; i++) {
      (i % 3 === 0 ? one : two).record(i);
      all.record(i);
    }
    one.merge(two);
    expect([0.1, 0.5, 0.99].map((share) => one.quantileMs(share))).toEqual(
      [0.1, 0.5, 0.99].map((share) => all.quantileMs(share)),
    );
    expect([one.count, one.maxMs]).toEqual([1000, 1000]);
  });
});

describe('an account', () => {
  it('throws when what went in is not what came out, ended or is held', () => {
    const account = new TaskAccount('T');
    account.in = 5;
    account.out = 3;
    account.countSkip('why');
    expect(() => {
      account.assertConservation();
    }).toThrow("Task 'T' does not balance: in 5 ≠ out 3 + skipped 1 + dead-lettered 0 + in flight 0");
    account.watch(() => ({ queued: 1, running: 0, waiting: 0 }));
    account.assertConservation();
  });

  it('counts at most 64 reasons by name', () => {
    const account = new TaskAccount('T');
    for (let i = 0; i < 1000; i++) account.countSkip(`reason ${i}`);
    expect(account.skipReasons.size).toBe(65);
    expect(account.skipReasons.get('other reasons')).toBe(936);
  });
});

describe('the nearest name', () => {
  it('forgives typing errors and finds nothing where nothing is near', () => {
    expect(nearest('Extarct', ['Load', 'Extract'])).toBe('Extract');
    expect(nearest('concurency', ['concurrency', 'window'])).toBe('concurrency');
    expect(nearest('timeout', ['timeout_ms', 'url'])).toBe('timeout_ms');
    expect(nearest('zebra', ['Load', 'Extract'])).toBeUndefined();
    expect(nearest('ttps', ['http', 'ws'])).toBeUndefined();
  });
});

describe('validation', () => {
  it('says the path, the reason and what was got', () => {
    const schema = z.object({ a: z.object({ b: z.number() }) });
    expect(() => validate(schema, { a: { b: 'x' } }, 'MILLRACE_INVALID_INPUT', "The input of 'T'")).toThrow(
      'The input of \'T\': a.b: Invalid input: expected number, received string, got "x" (string)',
    );
  });
});

describe('errors', () => {
  it('have codes that start alike, each with a sentence', () => {
    for (const [code, sentence] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^MILLRACE_[A-Z_]+$/);
      expect(sentence).toMatch(/^[A-Z].*\.$/);
    }
    expect(new MillraceError('MILLRACE_TASK', 'x', { cause: 0 }).cause).toBe(0);
  });

  it('describe anything that may be thrown', () => {
    expect(describeThrown(undefined)).toBe('a value that is not an Error was thrown: undefined');
    expect(describeThrown(new TypeError(''))).toBe('TypeError');
    const refused = new Error('connect ECONNREFUSED 127.0.0.1:9');
    expect(describeThrown(new TypeError('fetch failed', { cause: refused }))).toBe(
      'fetch failed: connect ECONNREFUSED 127.0.0.1:9',
    );
    const both = new AggregateError([refused, refused]);
    expect(describeThrown(new TypeError('fetch failed', { cause: both }))).toBe(
      'fetch failed: connect ECONNREFUSED 127.0.0.1:9',
    );
    expect(describeThrown(new Error(`no: ${refused.message}`, { cause: refused }))).toBe(`no: ${refused.message}`);
    const circle = new Error('circle');
    circle.cause = circle;
    expect(describeThrown(circle)).toBe('circle');
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    expect(describeValue(circular)).toBe('[object Object] (object)');
    expect(describeValue('x'.repeat(200)).length).toBeLessThan(100);
    expect(describeValue(() => 1)).toBe('a function');
  });
});

describe('a value in a message', () => {
  it.each<[unknown, string]>([
    [NaN, 'NaN (number)'],
    [Infinity, 'Infinity (number)'],
    [-Infinity, '-Infinity (number)'],
    [1.5, '1.5 (number)'],
    [10n, '10n (bigint)'],
    [Symbol('s'), 'Symbol(s) (symbol)'],
    ['', '"" (string)'],
    [[NaN, 2n, null], '["NaN","2n",null] (array)'],
    [{ a: { ms: Infinity } }, '{"a":{"ms":"Infinity"}} (object)'],
    [{ toJSON: () => undefined }, 'undefined (object)'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('is what it is: %p', (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it.each<[number, number | undefined, string]>([
    [Infinity, undefined, '`x` to be a finite number of at least 1, got Infinity (number)'],
    [NaN, Infinity, '`x` to be a number of at least 1, got NaN (number)'],
    [NaN, 5, '`x` to be a number from 1 to 5, got NaN (number)'],
  ])('stands beside what was expected: %p up to %p', (value, upTo, words) => {
    expect(() => {
      checkNumber('x', value, 1, upTo);
    }).toThrow(words);
  });
});

describe('seeded randomness', () => {
  it('gives the same sequence for a seed, spread evenly', () => {
    const [a, b] = [seededRandom(42), seededRandom(42)];
    const values = Array.from({ length: 10_000 }, () => a());
    expect(values).toEqual(values.map(() => b()));
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const tenths = new Set(values.map((value) => Math.floor(value * 10)));
    expect(tenths.size).toBe(10);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0.5, 1);
  });
});
