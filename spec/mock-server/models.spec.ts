/** The formulas against values worked out by hand. */
import { describe, expect, it } from '@jest/globals';
import { atsOf, offerOf, respOf } from '#mock-server/models.js';
import { FEATURES } from './support/clients.js';

describe('the models', () => {
  it('weigh recent points 0.7 to 0.3 and multiply by the balance of bought, gifted and redeemed', () => {
    // (0.7 · 100 + 0.3 · 50) · (0.5 + 0.25 − 0.25) = 85 · 0.5
    expect(atsOf(FEATURES)).toBeCloseTo(42.5, 12);
  });

  it('give a positive ATS for negative points', () => {
    const negative = { AVG_POINTS_BOUGHT: -50, LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: -100 };
    expect(atsOf({ ...FEATURES, ...negative })).toBeCloseTo(42.5, 12);
  });

  it('give an ATS of 0 where redeeming outweighs the rest', () => {
    expect(atsOf({ ...FEATURES, PCT_REDEEM_TRANSACTIONS: 0.9 })).toBe(0);
  });

  it('make RESP fall with the days since the last transaction', () => {
    // 1000 · (0.4 · 0.5 + 0.3 · 0.25 + 0.3 · 0.25) · ((0.3 · 20 + 0.7 · 40) / 100) / 1190 = 1000 · 0.35 · 0.34 / 1190
    expect(respOf(FEATURES)).toBeCloseTo(0.1, 12);
    expect(respOf({ ...FEATURES, DAYS_SINCE_LAST_TRANSACTION: 2379 })).toBeCloseTo(0.05, 12);
  });

  it('cap RESP at 0.9 and nowhere below', () => {
    expect(respOf({ ...FEATURES, DAYS_SINCE_LAST_TRANSACTION: 0 })).toBe(0.9);
    const refunds = { AVG_REVENUE_USD: -20, LAST_3_TRANSACTIONS_AVG_REVENUE_USD: -40 };
    expect(respOf({ ...FEATURES, ...refunds })).toBeCloseTo(-0.1, 12);
  });

  it('give the second offer from an expected value of 200', () => {
    expect(offerOf({ ats_prediction: 400, resp_prediction: 0.5 })).toBe('OFFER_2');
    expect(offerOf({ ats_prediction: 399.9, resp_prediction: 0.5 })).toBe('OFFER_1');
    expect(offerOf({ ats_prediction: 0, resp_prediction: 0.9 })).toBe('OFFER_1');
  });
});
