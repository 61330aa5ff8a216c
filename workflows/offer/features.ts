/**
 * The features of a member: what the two models are asked about. One aggregate over the member's transactions.
 *
 * Promise: the result does not depend on the order of the rows, except that of transactions at the same second the later
 * row counts as the more recent; rows may be folded in parts and merged.
 */
import { aggregateTask, type Aggregate, type Task } from 'millrace';
import { addExactly, roundSum, type Partials } from './exact-sum.js';

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

interface MemberState {
  counts: Record<Transaction['type'], number>;
  points: Partials;
  revenue: Partials;
  /** The most recent transactions, newest first. */
  recent: Transaction[];
}

/** @param asOf the moment the days are counted to, in milliseconds since 1970. */
export function memberFeatures({ asOf }: { readonly asOf: number }): Task<Transaction, MemberFeatures> {
  return aggregateTask(memberAggregate(asOf));
}

export function memberAggregate(asOf: number): Aggregate<Transaction, string, MemberState, MemberFeatures> {
  return {
    key: ({ memberId }) => memberId,
    init: () => ({ counts: { buy: 0, gift: 0, redeem: 0 }, points: [], revenue: [], recent: [] }),
    add: (state, transaction) => {
      state.counts[transaction.type]++;
      addExactly(state.points, transaction.points);
      addExactly(state.revenue, transaction.revenue);
      remember(state.recent, transaction);
      return state;
    },
    merge: (left, right) => {
      for (const type of ['buy', 'gift', 'redeem'] as const) left.counts[type] += right.counts[type];
      for (const partial of right.points) addExactly(left.points, partial);
      for (const partial of right.revenue) addExactly(left.revenue, partial);
      for (const transaction of right.recent.reverse()) remember(left.recent, transaction);
      return left;
    },
    finish: (state, memberId) => {
      const { counts, recent } = state;
      const count = counts.buy + counts.gift + counts.redeem;
      const lastAt = recent[0]?.at ?? asOf;
      return {
        memberId,
        AVG_POINTS_BOUGHT: roundSum(state.points) / count,
        AVG_REVENUE_USD: roundSum(state.revenue) / count,
        LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: average(recent.map(({ points }) => points)),
        LAST_3_TRANSACTIONS_AVG_REVENUE_USD: average(recent.map(({ revenue }) => revenue)),
        PCT_BUY_TRANSACTIONS: counts.buy / count,
        PCT_GIFT_TRANSACTIONS: counts.gift / count,
        PCT_REDEEM_TRANSACTIONS: counts.redeem / count,
        // A transaction after `as_of` (a clock that runs ahead) is zero days old, not minus one.
        DAYS_SINCE_LAST_TRANSACTION: Math.max(0, Math.floor((asOf - lastAt) / DAY_MS)),
      };
    },
  };
}

/** Keeps the newest; a later row goes before an earlier one of the same moment. */
function remember(recent: Transaction[], transaction: Transaction): void {
  let at = 0;
  while (at < recent.length && (recent[at] as Transaction).at > transaction.at) at++;
  if (at === RECENT) return;
  recent.splice(at, 0, transaction);
  if (recent.length > RECENT) recent.pop();
}

function average(values: readonly number[]): number {
  const partials: Partials = [];
  for (const value of values) addExactly(partials, value);
  return roundSum(partials) / values.length;
}
