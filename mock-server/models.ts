/**
 * The three formulas of the mock server's answers.
 *
 * Guarantees: the functions are pure, so the same features have the same prediction in every process, and a test can
 * check a run by computing the answers again.
 */

/** The body of the two prediction routes: eight finite numbers, with the names of the upstream. */
export interface Features {
  /** Average points per transaction, over all transactions. */
  readonly AVG_POINTS_BOUGHT: number;
  /** Average US dollars per transaction, over all transactions. */
  readonly AVG_REVENUE_USD: number;
  /** Average points per transaction, over the last three transactions. */
  readonly LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: number;
  /** Average US dollars per transaction, over the last three transactions. */
  readonly LAST_3_TRANSACTIONS_AVG_REVENUE_USD: number;
  /** Share of transactions that were purchases, 0 to 1. */
  readonly PCT_BUY_TRANSACTIONS: number;
  /** Share of transactions that were gifts, 0 to 1. */
  readonly PCT_GIFT_TRANSACTIONS: number;
  /** Share of transactions that redeemed points, 0 to 1. */
  readonly PCT_REDEEM_TRANSACTIONS: number;
  /** Whole days. */
  readonly DAYS_SINCE_LAST_TRANSACTION: number;
}

/** The body of the offer route. */
export interface Predictions {
  /** Average transaction size in points, as computed by `atsOf`. */
  readonly ats_prediction: number;
  /** Probability of a response, as computed by `respOf`; at most 0.9. */
  readonly resp_prediction: number;
}

/** The second offer is for members whose ATS · RESP is 200 or more. */
export type OfferName = 'OFFER_1' | 'OFFER_2';

/** From this expected value (ATS · RESP) on, a member gets the second offer. */
const OFFER_2_FROM = 200;

/** The upper limit of the probability of a response. */
const HIGHEST_RESPONSE = 0.9;

/** Average transaction size in points. Recent purchases have more weight; members who mostly redeem get 0. */
export function atsOf(features: Features): number {
  const points = 0.7 * features.LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT + 0.3 * features.AVG_POINTS_BOUGHT;
  const balance = features.PCT_BUY_TRANSACTIONS + features.PCT_GIFT_TRANSACTIONS - features.PCT_REDEEM_TRANSACTIONS;
  return Math.abs(points * Math.max(0, balance));
}

/**
 * Probability of a response. It decreases with the days since the last transaction, and is at most 0.9 (no lower
 * limit).
 */
export function respOf(features: Features): number {
  const mix =
    0.4 * features.PCT_BUY_TRANSACTIONS + 0.3 * features.PCT_GIFT_TRANSACTIONS + 0.3 * features.PCT_REDEEM_TRANSACTIONS;
  const revenue = (0.3 * features.AVG_REVENUE_USD + 0.7 * features.LAST_3_TRANSACTIONS_AVG_REVENUE_USD) / 100;
  return Math.min(HIGHEST_RESPONSE, (1000 * mix * revenue) / (features.DAYS_SINCE_LAST_TRANSACTION + 1));
}

/** The offer for a member with these two predictions. */
export function offerOf(predictions: Predictions): OfferName {
  return predictions.ats_prediction * predictions.resp_prediction >= OFFER_2_FROM ? 'OFFER_2' : 'OFFER_1';
}
