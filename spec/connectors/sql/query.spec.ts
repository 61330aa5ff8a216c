import { describe, expect, it } from '@jest/globals';
import { identityOfQuery } from '#lib/connectors/sql/query.js';

describe('the identity of a query', () => {
  it.each([
    ['milliseconds', new Date(1), new Date(2)],
    ['members of an object', { since: 1n }, { since: 2n }],
    ['items of an array', [[1], 2], [1, [2]]],
    ['texts', 'a', 'b'],
    ['types', 1, '1'],
    ['nothing and its name', null, 'null'],
  ])('differs for parameters that differ in %s', (_, one, other) => {
    const [first, second, again] = [one, other, one].map((param) =>
      identityOfQuery({ query: 'SELECT $1', params: [param] }),
    );
    expect(second).not.toBe(first);
    expect(again).toBe(first);
  });
});
