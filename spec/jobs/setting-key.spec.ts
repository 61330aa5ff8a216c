import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { keyOf, keyWithName, pathOf } from '#lib/jobs/config/setting-key.js';
import { applySettings, parseSetting } from '#lib/jobs/config/settings.js';

it('the key of a setting ends at the first = that is not part of a name', () => {
  expect(keyOf('a.b=c=d')).toBe('a.b');
  expect(keyOf('a\\=b=c')).toBe('a\\=b');
  expect(pathOf('a\\.b.c\\=d.e\\\\')).toEqual(['a.b', 'c=d', 'e\\']);
  expect(pathOf('C:\\data')).toEqual(['C:\\data']);
  expect(() => parseSetting('a..b=1')).toThrow('with a dot between nested keys');
});

it('each key of a configuration can be set', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text));
  fc.assert(
    fc.property(name, (key) => {
      expect(applySettings({}, [parseSetting(`${keyWithName(key)}="x"`)])).toEqual({ [key]: 'x' });
    }),
  );
});
