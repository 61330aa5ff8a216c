/**
 * The features of a member, which are the input of the two models: one aggregate over the member's transactions.
 *
 * Guarantees: the result does not depend on the order of the rows, with one exception: if transactions are in the same
 * second, the later row counts as the more recent. Rows may be folded in parts and merged.
 */
import { threadFactory, type Aggregate } from 'millrace/thread';
import { addExactly, addExactlyWithin, roundSum, type Partials } from './exact-sum.js';

/** One row of the member file. */
export interface Transaction {
  readonly memberId: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly type: 'buy' | 'gift' | 'redeem';
  readonly points: number;
  readonly revenue: number;
}

export interface MemberFeatures {
  readonly memberId: string;
  readonly AVG_POINTS_BOUGHT: number;
  readonly AVG_REVENUE_USD: number;
  readonly LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: number;
  readonly LAST_3_TRANSACTIONS_AVG_REVENUE_USD: number;
  readonly PCT_BUY_TRANSACTIONS: number;
  readonly PCT_GIFT_TRANSACTIONS: number;
  readonly PCT_REDEEM_TRANSACTIONS: number;
  readonly DAYS_SINCE_LAST_TRANSACTION: number;
}

const RECENT = 3;
const DAY_MS = 86_400_000;

/**
 * The state of a member in one array of numbers, because there may be a million members, and threads transfer the
 * states. In order: the counts of buys, gifts and redeems; the recent transactions, newest first, each as moment,
 * points and revenue; the number of partial sums of points; these partial sums; and to the end the partial sums of
 * revenue.
 */
type MemberState = number[];

const TYPES = { buy: 0, gift: 1, redeem: 2 } as const;
const RECENT_AT = 3;
const FIELDS = 3;
const RECENT_END = RECENT_AT + RECENT * FIELDS;
const POINTS_COUNT = RECENT_END;
const SUMS_AT = POINTS_COUNT + 1;
/** The moment of a missing recent transaction. */
const NEVER = -Infinity;

/** @param asOf the moment up to which days are counted, in milliseconds since 1970. */
export function memberAggregate(asOf: number): Aggregate<Transaction, string, MemberState, MemberFeatures> {
  return {
    key: ({ memberId }) => memberId,
    init: () => [0, 0, 0, NEVER, 0, 0, NEVER, 0, 0, NEVER, 0, 0, 0],
    add: (state, { type, at, points, revenue }) => {
      (state[TYPES[type]] as number)++;
      remember(state, at, points, revenue);
      return addRevenue(addPoints(state, points), revenue);
    },
    merge: (left, right) => {
      let merged = left;
      for (const type of Object.values(TYPES)) (merged[type] as number) += right[type] as number;
      // Oldest first: of two transactions at one moment, the later row must come first in the state.
      for (let i = RECENT_END - FIELDS; i >= RECENT_AT; i -= FIELDS) {
        remember(merged, right[i] as number, right[i + 1] as number, right[i + 2] as number);
      }
      for (const partial of pointsOf(right)) merged = addPoints(merged, partial);
      for (const partial of revenueOf(right)) merged = addRevenue(merged, partial);
      return merged;
    },
    finish: (state, memberId) => {
      const [buy, gift, redeem] = state as [number, number, number];
      const count = buy + gift + redeem;
      const recent = state.slice(RECENT_AT, RECENT_AT + Math.min(count, RECENT) * FIELDS);
      return {
        memberId,
        AVG_POINTS_BOUGHT: roundSum(pointsOf(state)) / count,
        AVG_REVENUE_USD: roundSum(revenueOf(state)) / count,
        LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: average(recent.filter((_, i) => i % FIELDS === 1)),
        LAST_3_TRANSACTIONS_AVG_REVENUE_USD: average(recent.filter((_, i) => i % FIELDS === 2)),
        PCT_BUY_TRANSACTIONS: buy / count,
        PCT_GIFT_TRANSACTIONS: gift / count,
        PCT_REDEEM_TRANSACTIONS: redeem / count,
        // A transaction after `as_of` (a clock that runs ahead) is zero days old, not minus one.
        DAYS_SINCE_LAST_TRANSACTION: Math.max(0, Math.floor((asOf - (recent[0] as number)) / DAY_MS)),
      };
    },
  };
}

/** The same aggregate, for threads. */
export const threadedMemberAggregate = threadFactory(import.meta.url, 'threadedMemberAggregate', memberAggregate);

function pointsOf(state: MemberState): Partials {
  return state.slice(SUMS_AT, SUMS_AT + (state[POINTS_COUNT] as number));
}

function revenueOf(state: MemberState): Partials {
  return state.slice(SUMS_AT + (state[POINTS_COUNT] as number));
}

function addPoints(state: MemberState, points: number): MemberState {
  const end = SUMS_AT + (state[POINTS_COUNT] as number);
  const added = addExactlyWithin(state, SUMS_AT, end, points);
  added[POINTS_COUNT] = end - SUMS_AT + added.length - state.length;
  return added;
}

function addRevenue(state: MemberState, revenue: number): MemberState {
  return addExactlyWithin(state, SUMS_AT + (state[POINTS_COUNT] as number), state.length, revenue);
}

/** Keeps the newest transactions; a later row goes before an earlier one of the same moment. */
function remember(state: MemberState, moment: number, points: number, revenue: number): void {
  let at = RECENT_AT;
  while (at < RECENT_END && (state[at] as number) > moment) at += FIELDS;
  if (at === RECENT_END || moment === NEVER) return;
  state.copyWithin(at + FIELDS, at, RECENT_END - FIELDS);
  state[at] = moment;
  state[at + 1] = points;
  state[at + 2] = revenue;
}

function average(values: readonly number[]): number {
  const partials: Partials = [];
  for (const value of values) addExactly(partials, value);
  return roundSum(partials) / values.length;
}
