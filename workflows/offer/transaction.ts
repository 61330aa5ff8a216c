/** The schema of a row of the member file: five columns. Every refusal names its column. */
import { threadSchema } from 'millrace/thread';
import { z } from 'zod';
import type { Transaction } from './features.js';

export const MEMBER_COLUMNS = [
  'memberId',
  'lastTransactionUtcTs',
  'lastTransactionType',
  'lastTransactionPointsBought',
  'lastTransactionRevenueUSD',
] as const;

const number = z
  .string()
  .regex(/^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/, 'expected a number')
  .transform(Number)
  .refine(Number.isFinite, 'expected a finite number');

const timestamp = z.string().transform((text, context) => {
  const at = parseUtc(text);
  if (at !== undefined) return at;
  context.addIssue({ code: 'custom', message: 'expected a date that exists, as YYYY-MM-DD HH:MM:SS' });
  return z.NEVER;
});

export const TransactionRow = threadSchema(
  import.meta.url,
  'TransactionRow',
  z
    .object({
      memberId: z.string().min(1),
      lastTransactionUtcTs: timestamp,
      lastTransactionType: z.enum(['buy', 'gift', 'redeem']),
      lastTransactionPointsBought: number,
      lastTransactionRevenueUSD: number,
    })
    .transform((row): Transaction => ({
      memberId: row.memberId,
      at: row.lastTransactionUtcTs,
      type: row.lastTransactionType,
      points: row.lastTransactionPointsBought,
      revenue: row.lastTransactionRevenueUSD,
    })),
);

const UTC = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/;

/** Milliseconds since 1970 of `YYYY-MM-DD HH:MM:SS` in UTC; undefined if there is no such moment. */
export function parseUtc(text: string): number | undefined {
  const parts = UTC.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second] = parts.map(Number) as [
    0,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // Date.UTC turns a date that does not exist into a later one: 31 February becomes a day in March.
  const exists =
    year >= 100 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= daysIn(year, month) &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  return exists ? Date.UTC(year, month - 1, day, hour, minute, second) : undefined;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
