/** Every case against every subject, and against a broken twin that must fail it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CASES } from './cases.js';
import { startEcho, stopEcho, SUBJECTS } from './subjects.js';
import { clearLeaks, TWINS } from './twins.js';

beforeAll(startEcho);
afterAll(stopEcho);

describe.each(CASES.map((one) => [one.name, one] as const))('%s', (name, { check, isFor = () => true }) => {
  it.each(SUBJECTS.filter(isFor).map((subject) => [subject.name, subject] as const))(
    '%s',
    async (_, subject) => {
      await check(subject);
    },
    60_000,
  );

  it('and its broken twin is found out', async () => {
    const twin = Object.entries(TWINS).find(([start]) => name.startsWith(start))?.[1];
    if (twin === undefined) throw new Error(`Nobody has broken '${name}' yet`);
    try {
      // An assertion is an Error of another realm than this one.
      await expect(check(twin)).rejects.toHaveProperty('message');
    } finally {
      clearLeaks();
    }
  }, 60_000);
});
