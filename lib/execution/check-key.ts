/** The check of a key that a function of the user returned. */
import { MillraceError, describeValue } from '../model/errors.js';
import { refusePromise } from '../model/awaitable.js';

/**
 * Returns the key. Throws MILLRACE_INVALID_INPUT for an object, a function or a symbol: each of them equals only itself,
 * even if another one has the same content, so no two records would have one key, and none after a resume.
 * Throws MILLRACE_INVALID_OPTION for a promise.
 * @param part the name of the function, such as 'key'.
 */
export function checkKey<Key>(key: Key, part: string, task: string): Key {
  if (typeof key === 'string' || typeof key === 'number' || key === undefined || key === null) return key;
  if (typeof key === 'boolean' || typeof key === 'bigint') return key;
  refusePromise(key, `\`${part}\` of '${task}'`);
  throw new MillraceError(
    'MILLRACE_INVALID_INPUT',
    `Expected \`${part}\` of '${task}' to return a text, number, bigint, boolean, null or undefined, got ${describeValue(key)}. Return a text instead, for example by JSON.stringify`,
  );
}
