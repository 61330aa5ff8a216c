import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { StoredRanges } from '#lib/connectors/sql/write-progress.js';

/** A table of ranges, by their beginnings. */
type Table = Map<number, number>;

/** Stores the numbers as a sink does. */
function write(table: Table, known: StoredRanges, numbers: readonly number[]): void {
  const { ranges, joined } = known.extendedBy('Rows', 0, numbers);
  for (const first of joined) expect(table.delete(first)).toBe(true);
  for (const { first, past } of ranges) table.set(first, past);
  known.stored({ root: 'Rows', partition: 0, ranges });
}

/** The numbers in the ranges of a table, ascending. */
function numbersIn(table: Table): number[] {
  return [...table]
    .flatMap(([first, past]) => Array.from({ length: past - first }, (_, i) => first + i))
    .sort(ascending);
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** The ranges that are left if no two of them touch. */
function joinedUp(numbers: readonly number[]): Table {
  const known = new Set(numbers);
  const table: Table = new Map();
  for (const number of numbers) {
    if (known.has(number - 1)) continue;
    let past = number + 1;
    while (known.has(past)) past++;
    table.set(number, past);
  }
  return table;
}

/** Numbers in any order with gaps, in transactions. */
const transactions = fc
  .uniqueArray(fc.nat(60), { maxLength: 50 })
  .chain((numbers) =>
    fc
      .array(fc.nat(numbers.length), { maxLength: 12 })
      .map((cuts) =>
        [0, ...cuts.sort(ascending), numbers.length]
          .map((cut, i, all) => numbers.slice(cut, all[i + 1]).sort(ascending))
          .filter(({ length }) => length > 0),
      ),
  );

describe('the stored ranges of a sink', () => {
  it('are one per gap, in whatever order numbers are written, and also after a new start', () => {
    fc.assert(
      fc.property(transactions, fc.nat(12), (all, restartAt) => {
        const table: Table = new Map();
        let known = new StoredRanges();
        const written: number[] = [];
        all.forEach((numbers, i) => {
          if (i === restartAt) {
            known = new StoredRanges();
            const ranges = [...table].map(([first, past]) => ({ first, past })).sort((a, b) => a.first - b.first);
            known.stored({ root: 'Rows', partition: 0, ranges });
          }
          write(table, known, numbers);
          written.push(...numbers);
          expect(table).toEqual(joinedUp(written));
        });
      }),
    );
  });

  it('contain each written number once, also if more gaps are open than are known', () => {
    fc.assert(
      fc.property(transactions, fc.integer({ min: 1, max: 4 }), (all, maxKnown) => {
        const table: Table = new Map();
        const known = new StoredRanges(maxKnown);
        for (const numbers of all) write(table, known, numbers);
        expect(numbersIn(table)).toEqual(all.flat().sort(ascending));
      }),
    );
  });

  it('of one partition are not joined with those of another', () => {
    const known = new StoredRanges();
    known.stored({ root: 'Rows', partition: 0, ranges: [{ first: 0, past: 5 }] });
    expect(known.extendedBy('Rows', 1, [5])).toEqual({ ranges: [{ first: 5, past: 6 }], joined: [] });
    expect(known.extendedBy('Other', 0, [5])).toEqual({ ranges: [{ first: 5, past: 6 }], joined: [] });
    expect(known.extendedBy('Rows', 0, [5])).toEqual({ ranges: [{ first: 0, past: 6 }], joined: [] });
  });
});
