/** The strict reader against `JSON.parse` on what is valid, and its exact refusals on what is not. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FORBIDDEN_KEYS, JsonError, parseStrictJson } from '#lib/jobs/config/strict-json.js';

function refusal(text: string): string {
  try {
    parseStrictJson(text);
  } catch (error) {
    if (error instanceof JsonError) return `${error.kind} ${error.line}:${error.column} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const hasForbiddenKey = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.entries(value).some(([key, inner]) => FORBIDDEN_KEYS.includes(key) || hasForbiddenKey(inner));

describe('parseStrictJson', () => {
  it('gives back what JSON.stringify wrote, in every layout', () => {
    const documents = fc.tuple(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom('', ' ', '  ', '\t', '\r\n '));
    fc.assert(
      fc.property(documents, ([value, indent]) => {
        fc.pre(!hasForbiddenKey(value));
        const text = JSON.stringify(value, null, indent);
        const read = parseStrictJson(`${indent}${text}${indent}`);
        expect(JSON.stringify(read, null, indent)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses what JSON.parse refuses, however a valid document is damaged', () => {
    const damaged = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', ':', '1', '\\', "'", '\u0001'))
      .map(([text, at, put]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(refusal(text)).not.toBe('accepted');
          return;
        }
        if (refusal(text) !== 'accepted') expect(refusal(text)).toMatch(/^refused /);
        // V8 may give an escaped key as another one that ends in a backslash (nodejs/node#63785; Node 24 and 26).
        else if (!text.includes('\\')) expect(parseStrictJson(text)).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['1', 1],
    ['-0.5e+2', -50],
    ['"\\u00e9\\n\\/\\ud83d\\ude00"', 'é\n/😀'],
    [' [ ] ', []],
    ['{"":0,"a":false,"b":null}', { '': 0, a: false, b: null }],
  ])('reads %s', (text, value) => {
    expect(parseStrictJson(text)).toEqual(value);
  });

  it.each([
    ['', 'syntax 1:1 expected a value, but the file ends'],
    ['{\n  "a": 1,\n  "b" 2\n}', `syntax 3:7 expected ':' after the key, got '2'`],
    ['{\r\n"a": 1\r\n"b": 2}', `syntax 3:1 expected ',' or '}', got '"'`],
    ['{"a": 1,}', `syntax 1:9 there is a comma before '}'; remove it`],
    ['[1, 2,]', `syntax 1:7 there is a comma before ']'; remove it`],
    ['{a: 1}', `syntax 1:2 expected a key in double quotes, got 'a'`],
    ["{'a': 1}", 'syntax 1:2 expected a key in double quotes, got a single quote; use double quotes'],
    ['{"a": \'x\'}', 'syntax 1:7 expected a value, got a single quote; use double quotes'],
    ['// c\n{}', 'syntax 1:1 JSON has no comments; remove it'],
    ['{} x', `syntax 1:4 expected the end of the file, got 'x'`],
    ['{"a": "x', 'syntax 1:7 a string is not closed'],
    ['{"a": "x\n"}', 'syntax 1:7 a string is not closed in its line; write \\n for a new line in it'],
    ['"a\tb"', 'syntax 1:3 a string holds the control character \\t; write it escaped'],
    ['"\\x"', `syntax 1:2 '\\x' is no escape in a string; write \\\\ for a backslash`],
    ['"\\u12"', `syntax 1:2 '\\u' is no escape in a string; four hexadecimal digits must follow \\u`],
    ['{"a": NaN}', 'syntax 1:7 NaN is not JSON; write a text in double quotes'],
    ['{"a": 01}', 'syntax 1:7 01 is not JSON; write a text in double quotes'],
    ['{"a": 1e999}', 'refused 1:7 the number 1e999 is too large; write a smaller one'],
    ['{\n"a": 1,\n"b": {"a": 1},\n"a": 2}', `refused 4:1 the key 'a' appears twice, first in line 2; remove one`],
    ['{"a": 1, "\\u0061": 2}', `refused 1:10 the key 'a' appears twice, first in line 1; remove one`],
    ['{"x": {"__proto__": {}}}', `refused 1:8 the key '__proto__' is not allowed; remove it`],
    ['{"constructor": 1}', `refused 1:2 the key 'constructor' is not allowed; remove it`],
    ['{"prototype": 1}', `refused 1:2 the key 'prototype' is not allowed; remove it`],
  ])('refuses %j', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  it('refuses a document nested deeper than any configuration, without using up the stack', () => {
    expect(refusal('['.repeat(100_000))).toBe('refused 1:501 it is nested more than 500 levels deep');
  });
});
