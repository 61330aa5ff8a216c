/**
 * The three formulas behind the mock's answers. Pure functions of their arguments: the same features give the same
 * prediction in every process, so that a run against this server can be checked by computing the answers again.
 */

/** What the two prediction routes take: eight finite numbers, named as the upstream names them. */
export interface Features {
  /** Points a purchase, on the average over all transactions. */
  readonly AVG_POINTS_BOUGHT: number;
  /** US dollars a transaction, on the average over all of them. */
  readonly AVG_REVENUE_USD: number;
  /** The same over the last three transactions, in points. */
  readonly LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: number;
  /** The same over the last three transactions, in US dollars. */
  readonly LAST_3_TRANSACTIONS_AVG_REVENUE_USD: number;
  /** Shares of a member's transactions, 0 to 1. */
  readonly PCT_BUY_TRANSACTIONS: number;
  /** Share of transactions that were gifts, 0 to 1. */
  readonly PCT_GIFT_TRANSACTIONS: number;
  /** Share of transactions that redeemed points, 0 to 1. */
  readonly PCT_REDEEM_TRANSACTIONS: number;
  /** Whole days. */
  readonly DAYS_SINCE_LAST_TRANSACTION: number;
}

/** What the offer route takes. */
export interface Predictions {
  /** Average transaction size, in points, as `atsOf` gives it. */
  readonly ats_prediction: number;
  /** Probability of a response, as `respOf` gives it; at most 0.9. */
  readonly resp_prediction: number;
}

/** The second offer is for members whose ATS · RESP is 200 or more. */
export type OfferName = 'OFFER_1' | 'OFFER_2';

/** An expected value (ATS · RESP) of this or more earns the second offer. */
const OFFER_2_FROM = 200;

/** The probability of a response is never given as more than this. */
const HIGHEST_RESPONSE = 0.9;

/** Average transaction size, in points: recent purchases weigh more, and members who mostly redeem get 0. */
export function atsOf(features: Features): number {
  const points = 0.7 * features.LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT + 0.3 * features.AVG_POINTS_BOUGHT;
  const balance = features.PCT_BUY_TRANSACTIONS + features.PCT_GIFT_TRANSACTIONS - features.PCT_REDEEM_TRANSACTIONS;
  return Math.abs(points * Math.max(0, balance));
}

/** Probability of a response: falls with the days since the last transaction, at most 0.9 (no lower bound). */
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
