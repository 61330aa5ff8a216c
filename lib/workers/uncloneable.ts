/** Finds out why a value cannot be copied to another thread. */
import { describeThrown } from '../model/errors.js';

/** The reason why a value cannot be copied, as part of a sentence; undefined if it can be copied. */
export function whyUncloneable(value: unknown): string | undefined {
  try {
    structuredClone(value);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The message of a cloning error, without its full stop. */
export function reasonOf(thrown: unknown): string {
  return describeThrown(thrown).replace(/\.$/, '');
}
