/** A group of cases that need PostgreSQL. */
import { describe, it } from '@jest/globals';
import { noPostgres } from './postgres-server.js';

/**
 * Without PostgreSQL the cases are skipped, with the reason in the name; with
 * MILLRACE_POSTGRES=required they fail.
 */
export function describeWithPostgres(name: string, cases: () => void): void {
  if (noPostgres === undefined) {
    describe(name, cases);
    return;
  }
  if (process.env['MILLRACE_POSTGRES'] === 'required') {
    it(`${name}: needs PostgreSQL`, () => {
      throw new Error(noPostgres);
    });
  } else describe.skip(`${name} (skipped: ${noPostgres})`, cases);
}
