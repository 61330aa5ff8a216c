/** A keyed aggregate over a member file, written as SQL, for both sides. */

export interface MemberTotal {
  readonly memberId: string;
  readonly points: number;
  readonly revenue: number;
  readonly last: string;
}

/** The totals of each member, from the table or file `from`. */
export const totalsOf = (from: string): string => `
  SELECT memberId, sum(lastTransactionPointsBought::DOUBLE) AS points, max(lastTransactionRevenueUSD::DOUBLE) AS revenue,
    max(lastTransactionUtcTs) AS last
  FROM ${from} WHERE memberId <> '' AND lastTransactionType <> '' GROUP BY memberId`;

/** A checksum that depends on each value, and on the order of the members. */
export class Checksum {
  value = 0;

  add({ memberId, points, revenue, last }: MemberTotal): void {
    const number = points + Math.floor(revenue * 1000) + memberId.charCodeAt(0) + last.length;
    this.value = (Math.imul(this.value, 31) + number) | 0;
  }
}
