/** How a row of the member file is read: five columns, checked one by one, with the column named in every refusal. */
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

export const TransactionRow = z
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
  }));

const UTC = /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})$/;

/** Milliseconds since 1970 of `YYYY-MM-DD HH:MM:SS` in UTC; undefined where there is no such moment. */
export function parseUtc(text: string): number | undefined {
  const parts = UTC.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const at = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 31 February over into March; a date that exists comes back as it went in.
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ') === text ? at : undefined;
}
