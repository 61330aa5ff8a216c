/** A schema and an aggregate for specs of partitions: rows `a,b` as pairs, and their texts in order, by key. */
import type { Schema } from '#lib/options/schema.js';
import { skip, type Skip } from '#lib/model/record.js';
import { threadAggregate, threadSchema } from '#lib/execution/thread-function.js';

export interface Pair {
  readonly a: string;
  readonly b: string;
}

const schema: Schema<Pair> = {
  '~standard': {
    version: 1,
    vendor: 'spec',
    validate: (value) => {
      const { a, b } = value as Pair;
      if (b === 'die') process.exit(0);
      return b === 'no' ? { issues: [{ message: 'said no', path: ['b'] }] } : { value: { a, b } };
    },
  },
};

/** Refuses `no`; ends its thread at `die`. */
export const PairRow = threadSchema(import.meta.url, 'PairRow', schema);

/** Associative and not commutative, so a part out of order shows. Cannot add `13`; has no result for the key 'q'. */
export const pairTexts = threadAggregate(import.meta.url, 'pairTexts', {
  key: ({ a }: Pair): string => a.slice(0, 1),
  init: (): string => '',
  add: (text: string, { a, b }: Pair): string => {
    if (b === '13') throw new RangeError('thirteen');
    return `${text}<${a}:${b}>`;
  },
  merge: (left: string, right: string): string => left + right,
  finish: (text: string, key: string): readonly [string, string] | Skip => [key, text],
});

/** The same, by the whole text of the column; has no result for the key 'q', and fails for 'b'. */
export const textsOfColumn = threadAggregate(import.meta.url, 'textsOfColumn', {
  key: ({ a }: Pair): string => a,
  init: (): string => '',
  add: (text: string, { a, b }: Pair): string => {
    if (b === '13') throw new RangeError('thirteen');
    return `${text}<${a}:${b}>`;
  },
  merge: (left: string, right: string): string => left + right,
  finish: (text: string, key: string): readonly [string, string] | Skip => {
    if (key === 'b') throw new RangeError(`no result of ${text}`);
    return key === 'q' ? skip('q') : [key, text];
  },
});
