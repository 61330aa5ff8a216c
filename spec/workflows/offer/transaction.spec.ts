import { readFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { memberLines } from '#workflows/offer/generate-members.js';
import { parseUtc, TransactionRow } from '#workflows/offer/transaction.js';

const row = {
  memberId: 'A1',
  lastTransactionUtcTs: '2023-12-10 11:24:18',
  lastTransactionType: 'gift',
  lastTransactionPointsBought: '-9600',
  lastTransactionRevenueUSD: '32.5',
};

describe('a row of the member file', () => {
  it('becomes a transaction', () => {
    expect(TransactionRow.parse(row)).toEqual({
      memberId: 'A1',
      at: Date.UTC(2023, 11, 10, 11, 24, 18),
      type: 'gift',
      points: -9600,
      revenue: 32.5,
    });
  });

  it.each([
    ['lastTransactionUtcTs', '2023-02-30 00:00:00', 'expected a date that exists, as YYYY-MM-DD HH:MM:SS'],
    ['lastTransactionUtcTs', '2023-12-10T11:24:18Z', 'expected a date that exists, as YYYY-MM-DD HH:MM:SS'],
    ['lastTransactionUtcTs', '2023-12-10 24:00:00', 'expected a date that exists, as YYYY-MM-DD HH:MM:SS'],
    ['lastTransactionType', 'sell', 'Invalid option: expected one of "buy"|"gift"|"redeem"'],
    ['lastTransactionPointsBought', 'many', 'expected a number'],
    ['lastTransactionPointsBought', '0x10', 'expected a number'],
    ['lastTransactionRevenueUSD', 'NaN', 'expected a number'],
    ['lastTransactionRevenueUSD', '1e999', 'expected a finite number'],
  ])('is refused for %s %s', (column, value, message) => {
    const result = TransactionRow.safeParse({ ...row, [column]: value });
    expect(result.error?.issues.map((issue) => [issue.path.join('.'), issue.message])).toEqual([[column, message]]);
  });

  it('knows leap days', () => {
    expect(parseUtc('2024-02-29 23:59:59')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59));
    expect(parseUtc('2023-02-29 23:59:59')).toBeUndefined();
  });
});

describe('the generator of member files', () => {
  it('gives the committed sample, byte for byte', async () => {
    const committed = await readFile(new URL('../../../../workflows/offer/data/members.csv', import.meta.url), 'utf8');
    expect([...memberLines({ rows: 4000, seed: 7 })].join('')).toBe(committed);
  });

  it('makes missing fields, CRLF, repeated members and members twice in one second', () => {
    const lines = [...memberLines({ rows: 2000, seed: 1 })].slice(1);
    const rows = lines.map((line) => line.trimEnd().split(','));
    expect(lines.every((line) => line.endsWith('\r\n'))).toBe(true);
    expect(rows.filter((fields) => fields.slice(1).every((field) => field === '')).length).toBeGreaterThan(10);
    expect(rows.filter(([member]) => member === '').length).toBeGreaterThan(0);
    expect(new Set(rows.map(([member]) => member)).size).toBeLessThan(500);
    const moments = rows.filter(([, at]) => at !== '').map(([member, at]) => `${member} ${at}`);
    expect(new Set(moments).size).toBeLessThan(moments.length);
  });
});
