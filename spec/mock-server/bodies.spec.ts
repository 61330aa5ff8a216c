/** The quick checks and the zod schemas must agree, or a body would be refused without a reason. */
import { describe, expect, it } from '@jest/globals';
import {
  featuresSchema,
  isFeatures,
  isPredictions,
  pathText,
  predictionsSchema,
  problemIn,
} from '#mock-server/bodies.js';
import { FEATURES } from './support/clients.js';

const PREDICTIONS = { ats_prediction: 1, resp_prediction: 0.5 };
const WRONG: readonly unknown[] = [undefined, null, '1', true, Number.NaN, Infinity, -Infinity, [], {}, 1n];
const NOT_OBJECTS: readonly unknown[] = [undefined, null, 0, '', 'text', true, [], [FEATURES]];

describe('bodies', () => {
  it('are valid with extra keys', () => {
    expect(isFeatures({ ...FEATURES, memberId: 'm1' })).toBe(true);
    expect(isPredictions({ ...PREDICTIONS, memberId: 'm1' })).toBe(true);
  });

  it('are judged alike by the quick check and by zod, for every field and every wrong value', () => {
    for (const field of Object.keys(FEATURES)) {
      for (const value of [...WRONG, 0, -1.5, 1e308]) {
        const body = { ...FEATURES, [field]: value };
        expect(isFeatures(body)).toBe(featuresSchema.safeParse(body).success);
      }
      const missing: Record<string, unknown> = { ...FEATURES };
      delete missing[field];
      expect(isFeatures(missing)).toBe(false);
      expect(problemIn(featuresSchema, missing).path).toBe(field);
    }
    for (const field of Object.keys(PREDICTIONS)) {
      for (const value of [...WRONG, 0, -1.5, 1e308]) {
        const body = { ...PREDICTIONS, [field]: value };
        expect(isPredictions(body)).toBe(predictionsSchema.safeParse(body).success);
      }
    }
    for (const body of NOT_OBJECTS) {
      expect(isFeatures(body)).toBe(false);
      expect(isPredictions(body)).toBe(false);
      expect(problemIn(featuresSchema, body).path).toBe('');
    }
  });

  it('are refused with the path of the first problem in schema order', () => {
    const body = { ...FEATURES, DAYS_SINCE_LAST_TRANSACTION: 'x', PCT_BUY_TRANSACTIONS: null };
    expect(problemIn(featuresSchema, body)).toEqual({
      code: 'INVALID_BODY',
      path: 'PCT_BUY_TRANSACTIONS',
      message: 'Invalid input: expected number, received null',
    });
  });

  it('have paths that read like code', () => {
    expect(pathText([])).toBe('');
    expect(pathText([2, 'slowDrip', 'p'])).toBe('[2].slowDrip.p');
  });
});
