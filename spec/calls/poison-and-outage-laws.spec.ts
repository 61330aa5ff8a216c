/**
 * The laws of records that always fail, of outages and of limited upstreams, over random sizes, shares, orders and
 * rates, in virtual time.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isLong } from '../support/long.js';
import { acceptedRate, ask, asking, limited, poisonOf, type Ended, type LimitKind } from './asked-runs.js';

/** A whole number between the bounds; each order of magnitude is drawn equally often. */
function magnitude(min: number, max: number): fc.Arbitrary<number> {
  const exponent = fc.double({ min: Math.log10(min), max: Math.log10(max), noNaN: true });
  return exponent.map((power) => Math.min(max, Math.max(min, Math.round(10 ** power))));
}

const ORDERS = ['first', 'last', 'spread', 'random', 'stretches'] as const;

interface Mix {
  readonly size: number;
  /** The number of records that always fail. */
  readonly bad: number;
  readonly order: (typeof ORDERS)[number];
  /** The length of a stretch of records of one kind. */
  readonly stretch: number;
}

/** At least one record is answered. The shares near none and near all are as frequent as those between. */
function mixes(sizes: fc.Arbitrary<number>): fc.Arbitrary<Mix> {
  const small = fc.double({ min: 0, max: 3, noNaN: true }).map((power) => 10 ** -power);
  const share = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    small,
    small.map((one) => 1 - one),
  );
  return fc.record({ size: sizes, share, order: fc.constantFrom(...ORDERS), part: share }).map((drawn) => {
    const { size, order } = drawn;
    const bad = Math.min(size - 1, Math.round(drawn.share * size));
    return { size, bad, order, stretch: Math.max(1, Math.round(drawn.part * size)) };
  });
}

async function costsOnlyPoison({ size, bad, order, stretch }: Mix, status: number): Promise<void> {
  const poison = poisonOf(size, bad, order, stretch);
  const ended = await ask(size, undefined, asking(poison, true, status));
  const without = await ask(size, undefined, asking(poison, false, status));
  expect([ended.outcome, ended.out]).toEqual(['completed', size - poison.size]);
  expect(new Set(ended.letters.map(({ record }) => record))).toEqual(poison);
  expect(ended.letters).toHaveLength(poison.size);
  expect(ended.letters.every(({ attempts }) => attempts === 5)).toBe(true);
  expect(ended.seconds).toBeLessThanOrEqual(3 * without.seconds);
}

function stopsWithoutLetters(ended: Ended): void {
  expect(ended).toMatchObject({ outcome: 'failed', letters: [], failure: { code: 'MILLRACE_UPSTREAM_DOWN' } });
  expect(ended.seconds).toBeLessThan(330);
}

describe('records that always fail, of any share, size and order', () => {
  it('alone are dead letters, within three times the time of a run without a breaker', async () => {
    const sizes = magnitude(1, 600);
    await fc.assert(
      fc.asyncProperty(mixes(sizes), (mix) => costsOnlyPoison(mix, 500)),
      { numRuns: isLong ? 40 : 10 },
    );
  }, 600_000);

  it('alone are dead letters if a gateway answers for them, as long as they are fewer than ten', async () => {
    const few = mixes(magnitude(2, 300)).map((mix) => ({ ...mix, bad: Math.min(9, mix.bad) }));
    await fc.assert(
      fc.asyncProperty(few, (mix) => costsOnlyPoison(mix, 503)),
      { numRuns: isLong ? 30 : 8 },
    );
  }, 600_000);
});

describe('an upstream that answers no record', () => {
  const statuses = fc.constantFrom(500, 502, 503, 504);

  it('stops a run of many records at its deadline, without a dead letter', async () => {
    await fc.assert(
      fc.asyncProperty(magnitude(10, 800), statuses, async (size, status) => {
        stopsWithoutLetters(await ask(size, undefined, asking(poisonOf(size, size, 'first'), true, status)));
      }),
      { numRuns: isLong ? 16 : 4 },
    );
  }, 600_000);

  it('stops it also if it answered before', async () => {
    const from = fc.record({
      size: magnitude(300, 1500),
      part: fc.double({ min: 0.1, max: 0.6, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(from, fc.constantFrom(502, 503, 504), async ({ size, part }, status) => {
        // 64 calls of 20 ms at a time.
        const downAtMs = (size / 64) * 20 * part;
        const ended = await ask(size, (record, _, nowMs) => ({
          status: nowMs < downAtMs ? 200 : status,
          body: record,
          afterMs: 20,
        }));
        stopsWithoutLetters(ended);
      }),
      { numRuns: isLong ? 16 : 4 },
    );
  }, 600_000);

  it('makes a dead letter of a lone record that is out of attempts', async () => {
    await fc.assert(
      fc.asyncProperty(statuses, fc.integer({ min: 1, max: 5000 }), async (status, afterMs) => {
        const ended = await ask(1, () => ({ status, afterMs }));
        expect(ended).toMatchObject({ outcome: 'completed', letters: [{ attempts: 5 }] });
      }),
      { numRuns: 20 },
    );
  });
});

describe('an upstream that answers 429 above any rate', () => {
  it('gets at least 0.7 of the calls that it accepts, without configuration', async () => {
    const rate = fc.double({ min: Math.log10(0.5), max: Math.log10(40), noNaN: true });
    const limit = fc.record({
      rate: rate.map((power) => 10 ** power),
      kind: fc.constantFrom<LimitKind[]>('bucket', 'small bucket', 'fixed window', 'sliding window'),
      retryAfter: fc.constantFrom(undefined, '1'),
    });
    await fc.assert(
      fc.asyncProperty(limit, async ({ rate: perSecond, kind, retryAfter }) => {
        const accepted = acceptedRate(kind, perSecond);
        const size = Math.max(20, Math.round(accepted * 15));
        const ended = await ask(size, limited(kind, perSecond, retryAfter));
        expect(ended).toMatchObject({ outcome: 'completed', out: size, letters: [] });
        expect(size / ended.seconds / accepted).toBeGreaterThanOrEqual(0.7);
      }),
      {
        numRuns: isLong ? 30 : 12,
        // They got 0.54 and 0.56 of the calls while refusals of a window that was used up counted.
        examples: [
          // What was left of a wait was too short to change the virtual time, so the clock woke for ever.
          [{ kind: 'sliding window', rate: 191.26314270944835, retryAfter: undefined }],
          [{ rate: 30.62, kind: 'fixed window', retryAfter: undefined }],
          [{ rate: 5.31, kind: 'small bucket', retryAfter: '1' }],
        ],
      },
    );
  }, 600_000);
});
