/** The name of a key in the identities of records. */
import { describeValue } from '../model/errors.js';

/** The part of an identity that stands for a key. Keys of different types have different names. */
export function identityOfKey(key: unknown): string {
  return typeof key === 'string' ? `key ${key}` : `${typeof key} ${textOf(key)}`;
}

function textOf(key: unknown): string {
  if (typeof key !== 'object' || key === null) return String(key);
  try {
    return JSON.stringify(key);
  } catch {
    return describeValue(key);
  }
}
