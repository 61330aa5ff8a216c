import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { memberAggregate, type MemberFeatures, type Transaction } from '#workflows/offer/features.js';

const AS_OF = Date.UTC(2025, 2, 14, 21, 25, 33);
const DAY = 86_400_000;
const aggregate = memberAggregate(AS_OF);

function fold(transactions: readonly Transaction[]): ReturnType<typeof aggregate.init> {
  return transactions.reduce((state, transaction) => aggregate.add(state, transaction), aggregate.init('M'));
}
function featuresOf(transactions: readonly Transaction[]): MemberFeatures {
  return aggregate.finish(fold(transactions), 'M') as MemberFeatures;
}
function transaction(daysAgo: number, type: Transaction['type'], points: number, revenue: number): Transaction {
  return { memberId: 'M', at: AS_OF - daysAgo * DAY, type, points, revenue };
}

const anyTransaction = fc.record<Transaction>({
  memberId: fc.constant('M'),
  // Few moments, so that many are equal.
  at: fc.integer({ min: 0, max: 5 }).map((second) => AS_OF - 10 * DAY + second * 1000),
  type: fc.constantFrom('buy', 'gift', 'redeem'),
  points: fc.integer({ min: -10_000, max: 10_000 }),
  revenue: fc.double({ min: 0, max: 500, noNaN: true }),
});

describe('the features of a member', () => {
  it('are those of a worked example', () => {
    const features = featuresOf([
      transaction(40, 'buy', 1000, 10),
      transaction(30, 'gift', 2000, 20),
      transaction(20, 'redeem', -500, 0),
      transaction(10.5, 'buy', 3000, 30),
    ]);
    expect(features).toEqual({
      memberId: 'M',
      AVG_POINTS_BOUGHT: 1375,
      AVG_REVENUE_USD: 15,
      LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: 1500,
      LAST_3_TRANSACTIONS_AVG_REVENUE_USD: 50 / 3,
      PCT_BUY_TRANSACTIONS: 0.5,
      PCT_GIFT_TRANSACTIONS: 0.25,
      PCT_REDEEM_TRANSACTIONS: 0.25,
      DAYS_SINCE_LAST_TRANSACTION: 10,
    });
  });

  it('average over what there is when there are fewer than three', () => {
    const features = featuresOf([transaction(3, 'buy', 100, 1), transaction(2, 'buy', 300, 2)]);
    expect(features.LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT).toBe(200);
    expect(features.LAST_3_TRANSACTIONS_AVG_REVENUE_USD).toBe(1.5);
  });

  it('count the later row as the more recent one of equal moments', () => {
    const same = [10, 20, 30, 40].map((points) => transaction(5, 'buy', points, 0));
    expect(featuresOf(same).LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT).toBe(30);
    const newer = [transaction(1, 'buy', 90, 0), ...same];
    expect(featuresOf(newer).LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT).toBe((90 + 40 + 30) / 3);
  });

  it('count whole days, and none for a transaction after the moment', () => {
    expect(featuresOf([transaction(1.999, 'buy', 1, 1)]).DAYS_SINCE_LAST_TRANSACTION).toBe(1);
    expect(featuresOf([transaction(-2, 'buy', 1, 1)]).DAYS_SINCE_LAST_TRANSACTION).toBe(0);
  });

  it('are the same to the last bit however the rows are divided and merged in order', () => {
    fc.assert(
      fc.property(fc.array(anyTransaction, { minLength: 1, maxLength: 30 }), fc.nat(), fc.nat(), (rows, a, b) => {
        const [first, second] = [a % (rows.length + 1), b % (rows.length + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ];
        const parts = [rows.slice(0, first), rows.slice(first, second), rows.slice(second)].map(fold);
        const merge = aggregate.merge as NonNullable<typeof aggregate.merge>;
        const whole = parts.reduce((left, right) => merge(left, right));
        expect(aggregate.finish(whole, 'M')).toEqual(featuresOf(rows));
      }),
    );
  });
});
