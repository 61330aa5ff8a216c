/** The kinds of windows, by which a task divides the records of a key. */
import { invalidOption, describeValue } from '../../model/errors.js';

/** The most windows that one record may belong to. */
const MOST_WINDOWS = 10_000;

/** Made by `tumbling`, `sliding`, `session` or `counted`. Times are in milliseconds. */
export type WindowKind =
  | {
      /** All keys have the same windows: every `everyMs` milliseconds, a window of `sizeMs` begins. */
      readonly kind: 'fixed';
      /** From the start of a window to its end. */
      readonly sizeMs: number;
      /** From the start of a window to the start of the next one. */
      readonly everyMs: number;
      /** The start of one of the windows, relative to 1970. */
      readonly offsetMs: number;
    }
  | {
      /** Each key has windows of its own. A window ends when the key has received no record for `gapMs`. */
      readonly kind: 'session';
      /** Consecutive records of a key are in one window if their times differ by less than this. */
      readonly gapMs: number;
    }
  | {
      /** Each key has windows with a fixed number of records. */
      readonly kind: 'count';
      /** The number of records of a window. */
      readonly records: number;
    };

/**
 * Windows of `sizeMs` that follow each other: each record belongs to one. They begin at multiples of the size since
 * 1970 in UTC, plus `offsetMs`. Throws MILLRACE_INVALID_OPTION for a size that is not a whole number from 1 on.
 *
 * @example tumbling(60_000)
 */
export function tumbling(sizeMs: number, offsetMs = 0): WindowKind {
  return sliding(sizeMs, sizeMs, offsetMs);
}

/**
 * Windows of `sizeMs`. One begins every `everyMs` milliseconds, so a record belongs to `sizeMs / everyMs` of them.
 * Throws MILLRACE_INVALID_OPTION for numbers that are not whole numbers from 1 on, if there is a gap between two
 * windows, and if a record would belong to more than 10,000 windows.
 *
 * @example sliding(60_000, 10_000)
 */
export function sliding(sizeMs: number, everyMs: number, offsetMs = 0): WindowKind {
  check('the size of a window', sizeMs);
  check('the distance of two windows', everyMs);
  if (!Number.isSafeInteger(offsetMs)) {
    throw invalidOption(`Expected the offset of a window to be a whole number, got ${describeValue(offsetMs)}`);
  }
  if (everyMs > sizeMs || sizeMs / everyMs > MOST_WINDOWS) {
    throw invalidOption(
      `Expected the distance of two windows to be from ${Math.ceil(sizeMs / MOST_WINDOWS)} to ${sizeMs} ms, the size of one, got ${everyMs}`,
    );
  }
  return { kind: 'fixed', sizeMs, everyMs, offsetMs };
}

/**
 * Windows of activity: records of a key that are less than `gapMs` apart belong together. Throws
 * MILLRACE_INVALID_OPTION for a gap that is not a whole number from 1 on.
 *
 * @example session(30 * 60_000)
 */
export function session(gapMs: number): WindowKind {
  check('the gap between two sessions', gapMs);
  return { kind: 'session', gapMs };
}

/**
 * Windows of this number of records of a key, in the order of the input. At the end of the input, the last window of a
 * key may have fewer records. Throws MILLRACE_INVALID_OPTION for a number that is not a whole number from 1 on.
 *
 * @example counted(100)
 */
export function counted(records: number): WindowKind {
  check('the number of records of a window', records);
  return { kind: 'count', records };
}

/** Whether the value was made by one of the functions above. */
export function isWindowKind(value: unknown): value is WindowKind {
  return (
    typeof value === 'object' && value !== null && ['fixed', 'session', 'count'].includes((value as WindowKind).kind)
  );
}

function check(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw invalidOption(`Expected ${what} to be a whole number from 1 on, got ${describeValue(value)}`);
}
