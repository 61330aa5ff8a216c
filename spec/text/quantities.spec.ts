import { describe, expect, it } from '@jest/globals';
import { parseDuration } from '#lib/text/quantities.js';

describe('a length of time', () => {
  it('is a whole number and a unit', () => {
    expect(['30s', '15m', '6h', '1d', '0s'].map(parseDuration)).toEqual([30_000, 900_000, 21_600_000, 86_400_000, 0]);
  });

  it('is nothing else', () => {
    for (const text of ['', '5', 'm', '-5m', '1.5h', '5 m', '5M', '1w', '5mm', '1234567890s']) {
      expect(parseDuration(text)).toBeUndefined();
    }
  });
});
