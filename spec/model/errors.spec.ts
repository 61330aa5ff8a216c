/** The table of error codes: what the code raises, what the code says of it, and what the documents say, are one. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { ERROR_CODES, FatalTaskError, MillraceError } from '#lib/model/errors.js';

const root = new URL('../../../', import.meta.url).pathname;

it('documents every error code with the sentence that the code has, and with what to do', async () => {
  const markdown = await readFile(join(root, 'docs', 'errors.md'), 'utf8');
  const rows = [...markdown.matchAll(/^\| `(MILLRACE_\w+)`\s*\| (.*?)\s*\| (.*?)\s*\|$/gm)];
  expect(Object.fromEntries(rows.map(([, code, meaning]) => [code, meaning]))).toEqual(ERROR_CODES);
  for (const [, , , advice] of rows) expect(advice).not.toBe('');
});

it('lists no code that nothing raises', async () => {
  const files = await readdir(join(root, 'lib'), { recursive: true });
  const sources = await Promise.all(
    files
      .filter((name) => name.endsWith('.ts') && !name.endsWith('core/errors.ts'))
      .map((name) => readFile(join(root, 'lib', name), 'utf8')),
  );
  const code = sources.join('\n');
  expect(Object.keys(ERROR_CODES).filter((name) => !code.includes(`'${name}'`))).toEqual([]);
});

it('knows the errors of another copy of the package by their class', async () => {
  const other = (await import(
    `${import.meta.resolve('#lib/model/errors.js')}?copy`
  )) as typeof import('#lib/model/errors.js');
  expect(other.MillraceError).not.toBe(MillraceError);
  const fatal = new other.FatalTaskError('MILLRACE_FILE', 'gone');
  expect([fatal instanceof MillraceError, fatal instanceof FatalTaskError]).toEqual([true, true]);
  const plain = new other.MillraceError('MILLRACE_FILE', 'gone');
  expect([plain instanceof MillraceError, plain instanceof FatalTaskError]).toEqual([true, false]);
  class Own extends MillraceError {}
  expect([plain instanceof Own, new Own('MILLRACE_FILE', '') instanceof other.MillraceError]).toEqual([false, true]);
  expect([new Error('x'), null, undefined, 'x', {}].some((value) => value instanceof MillraceError)).toBe(false);
});
