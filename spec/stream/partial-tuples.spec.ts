/** The incomplete tuples of a join, against a map that holds the same. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MillraceError } from '#lib/model/errors.js';
import { GONE } from '#lib/model/record.js';
import { INCOMPLETE, PartialTuples } from '#lib/stream/partial-tuples.js';

const owner = {
  twice: (lineage: number, index: number) => new MillraceError('MILLRACE_CONSERVATION', `${lineage} of ${index}`),
};
const results = { whole: (values: unknown[]) => values, partial: () => GONE };
const SPAN = 64;

describe('PartialTuples', () => {
  it('returns each tuple when its last value comes, for any order within the span', () => {
    const arrivals = fc.integer({ min: 0, max: 2 ** 40 }).chain((base) =>
      fc.shuffledSubarray(
        Array.from({ length: SPAN * 2 }, (_, n) => [base + (n >> 1), n & 1] as const),
        { minLength: 0 },
      ),
    );
    fc.assert(
      fc.property(arrivals, (added) => {
        const tuples = new PartialTuples(2, () => SPAN, owner, results);
        const model = new Map<number, unknown[]>();
        for (const [lineage, index] of added) {
          const value = lineage % 5 === 0 && index === 1 ? GONE : `${lineage}/${index}`;
          const tuple = [...(model.get(lineage) ?? [undefined, undefined])];
          tuple[index] = value;
          const isComplete = tuple.every((part) => part !== undefined);
          if (isComplete) model.delete(lineage);
          else model.set(lineage, tuple);
          expect(tuples.add(lineage, index, value)).toEqual(
            isComplete ? (tuple.includes(GONE) ? GONE : tuple) : INCOMPLETE,
          );
          expect(tuples.size).toBe(model.size);
        }
      }),
    );
  });

  it('refuses a value that is there already, and a lineage beyond the span', () => {
    const tuples = new PartialTuples(2, () => SPAN, owner, results);
    tuples.add(7, 1, 'a');
    expect(() => tuples.add(7, 1, 'b')).toThrow('7 of 1');
    expect(() => tuples.add(7 + SPAN, 0, 'c')).toThrow('out of the span');
    expect(tuples.of(7)?.[1]).toBe('a');
    expect(tuples.of(7 + SPAN)).toBeUndefined();
  });
});
