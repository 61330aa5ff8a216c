import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { Rejected } from '#lib/model/record.js';
import { recordOf } from '#lib/connectors/csv/row-record.js';

const schema = z.object({ id: z.string(), size: z.coerce.number() });
const messageOf = (values: Record<string, string>): string => {
  const record = recordOf({ number: 0, line: 2, values }, { path: 'f.csv', schema });
  return record instanceof Rejected ? (record.error as Error).message : 'accepted';
};

describe('a row that does not fit', () => {
  it('says that the column is not there at all, and which are', () => {
    expect(messageOf({ id: 'a', sise: '3' })).toContain(
      "The header has no column 'size', it has 'id' and 'sise'; name the required columns in `columns`",
    );
  });

  it('says nothing of columns where the value is wrong', () => {
    expect(messageOf({ id: 'a', size: 'large' })).not.toContain('header');
  });
});
