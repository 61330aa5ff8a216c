import { describeThrown } from '../model/errors.js';

/** Why a value cannot be copied to another thread, as part of a sentence; undefined where it can. */
export function whyUncloneable(value: unknown): string | undefined {
  try {
    structuredClone(value);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** What the refusal to copy says, without its full stop. */
export function reasonOf(thrown: unknown): string {
  return describeThrown(thrown).replace(/\.$/, '');
}
