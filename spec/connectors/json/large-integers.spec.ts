/** Integers that a number cannot hold, in JSON texts. */
import { describe, expect, it } from '@jest/globals';
import { LargeInteger, firstLargeIn, quoteLarge, reviveLarge } from '#lib/connectors/json/large-integers.js';

const LARGE = '9007199254740993';
const MARK = 'millrace:large-integer:';

describe('a text with a large integer', () => {
  const read = (text: string): unknown => JSON.parse(quoteLarge(text, 'refuse'), reviveLarge);

  it('has it wherever it stands, but not within strings', () => {
    const text = `{"a":[1,${LARGE}],"b":"${LARGE}","c":-${LARGE},"d":${LARGE}.5e1}`;
    expect(read(text)).toEqual({
      a: [1, new LargeInteger(LARGE)],
      b: LARGE,
      c: new LargeInteger(`-${LARGE}`),
      d: Number(`${LARGE}.5e1`),
    });
  });

  it.each([
    [`["${MARK}5",${LARGE}]`, `${MARK}5`],
    [`["${MARK}${MARK}5",${LARGE}]`, `${MARK}${MARK}5`],
    [`["\\u006dillrace:large-integer:5",${LARGE}]`, `${MARK}5`],
    [`["millrace",${LARGE}]`, 'millrace'],
    [`["\\\\",${LARGE}]`, '\\'],
  ])('keeps the strings beside it as they are: %s', (text, string) => {
    expect(read(text)).toEqual([string, new LargeInteger(LARGE)]);
  });

  it('keeps the names of members as they are', () => {
    expect(read(`{"${MARK}5" \n: ${LARGE}}`)).toEqual({ [`${MARK}5`]: new LargeInteger(LARGE) });
  });
});

it('a text without one is returned unchanged, whatever its strings are', () => {
  const text = `["${MARK}5","1234567890123456",1234567890123456]`;
  expect(quoteLarge(text, 'refuse')).toBe(text);
  expect(firstLargeIn(JSON.parse(text))).toBeUndefined();
});
