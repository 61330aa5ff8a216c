/**
 * Extract and Transform with DuckDB: SQL reads the member file and computes the totals of each member, and a small
 * function computes the features from the totals.
 *
 * Guarantees: the members are the same as with the stream, and the features differ at most in their last bits: the sums
 * of revenue are compensated (Kahan), but not exact as in `memberAggregate`, because SQL has no exact sum of doubles.
 * Rows without a value in a required column are left out. A row that the schema of the stream would refuse becomes a
 * dead letter here, too.
 */
import { syncTask, type SourceTask, type Task } from 'millrace';
import { duckdbSource } from 'millrace/duckdb';
import { z } from 'zod';
import type { MemberFeatures } from './features.js';

/** The totals that SQL computes for a member. */
interface MemberTotals {
  readonly memberId: string;
  readonly buy: number;
  readonly gift: number;
  readonly redeem: number;
  readonly points: number;
  readonly revenue: number;
  /** The sums over the last three transactions. */
  readonly recent_points: number;
  readonly recent_revenue: number;
  /** The moment of the last transaction, in milliseconds since 1970. */
  readonly last_at: number;
}

const MemberTotals: z.ZodType<MemberTotals> = z
  .object({ refused: z.string().nullable() })
  .loose()
  .superRefine(({ refused }, context) => {
    if (refused !== null) context.addIssue({ code: 'custom', message: refused });
  })
  .transform((row) => row as unknown as MemberTotals);

/** The same numbers and moments as in the schema of the stream. */
const NUMBER = String.raw`\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*`;
const MOMENT = String.raw`(0[1-9]|[1-9]\d)\d\d-\d\d-\d\d ([01]\d|2[0-3]):[0-5]\d:[0-5]\d`;

const number = (column: string): string =>
  `CASE WHEN regexp_full_match(${column}, '${NUMBER}') AND isfinite(TRY_CAST(${column} AS DOUBLE)) THEN TRY_CAST(${column} AS DOUBLE) END`;

/**
 * Returns one row per member, and one per refused row of the file. If transactions are in the same second, the later
 * row of the file counts as the more recent, so the rows are numbered in the order of the file.
 */
export const MEMBER_TOTALS_SQL = `
WITH numbered AS (
  SELECT memberId AS member, lastTransactionUtcTs AS moment, lastTransactionType AS type,
    lastTransactionPointsBought AS points_text, lastTransactionRevenueUSD AS revenue_text, row_number() OVER () AS place
  FROM members
), typed AS (
  SELECT member, type, place, moment AS moment_text,
    CASE WHEN regexp_full_match(moment, '${MOMENT}') THEN TRY_CAST(moment AS TIMESTAMP) END AS moment,
    ${number('points_text')} AS points, ${number('revenue_text')} AS revenue, points_text, revenue_text
  FROM numbered
  WHERE member <> '' AND moment <> '' AND type <> '' AND points_text <> '' AND revenue_text <> ''
), checked AS (
  SELECT *, CASE
    WHEN moment IS NULL THEN 'lastTransactionUtcTs: expected a date that exists, as YYYY-MM-DD HH:MM:SS, got ' || moment_text
    WHEN type NOT IN ('buy', 'gift', 'redeem') THEN 'lastTransactionType: expected buy, gift or redeem, got ' || type
    WHEN points IS NULL THEN 'lastTransactionPointsBought: expected a finite number, got ' || points_text
    WHEN revenue IS NULL THEN 'lastTransactionRevenueUSD: expected a finite number, got ' || revenue_text
  END AS refused
  FROM typed
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY member ORDER BY moment DESC, place DESC) AS recency
  FROM checked WHERE refused IS NULL
)
SELECT member AS memberId, 0 AS row, NULL AS refused,
  count(*) FILTER (WHERE type = 'buy') AS buy,
  count(*) FILTER (WHERE type = 'gift') AS gift,
  count(*) FILTER (WHERE type = 'redeem') AS redeem,
  fsum(points) AS points, fsum(revenue) AS revenue,
  fsum(points) FILTER (WHERE recency <= 3) AS recent_points,
  fsum(revenue) FILTER (WHERE recency <= 3) AS recent_revenue,
  epoch_ms(max(moment)) AS last_at
FROM ranked GROUP BY member
UNION ALL
SELECT member, place, 'row ' || place || ': ' || refused, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM checked WHERE refused IS NOT NULL`;

/** The task Extract: the totals of each member, in the order of their ids. */
export function memberTotals(path: string): SourceTask<MemberTotals> {
  const options = `header = true, all_varchar = true, delim = ',', quote = '"', escape = '"'`;
  return duckdbSource({
    sql: MEMBER_TOTALS_SQL,
    files: { members: { path, format: 'csv', options } },
    keyset: ['memberId', 'row'],
    schema: MemberTotals,
  });
}

const DAY_MS = 86_400_000;

/** The task Transform. @param asOf the moment up to which days are counted, in milliseconds since 1970. */
export function featuresOfTotals(asOf: number): Task<MemberTotals, MemberFeatures> {
  return syncTask(({ memberId, buy, gift, redeem, points, revenue, recent_points, recent_revenue, last_at }) => {
    const count = buy + gift + redeem;
    const recent = Math.min(count, 3);
    return {
      memberId,
      AVG_POINTS_BOUGHT: points / count,
      AVG_REVENUE_USD: revenue / count,
      LAST_3_TRANSACTIONS_AVG_POINTS_BOUGHT: recent_points / recent,
      LAST_3_TRANSACTIONS_AVG_REVENUE_USD: recent_revenue / recent,
      PCT_BUY_TRANSACTIONS: buy / count,
      PCT_GIFT_TRANSACTIONS: gift / count,
      PCT_REDEEM_TRANSACTIONS: redeem / count,
      DAYS_SINCE_LAST_TRANSACTION: Math.max(0, Math.floor((asOf - last_at) / DAY_MS)),
    };
  });
}
