/**
 * JSON integers that a JavaScript number cannot hold, such as 64-bit ids: `JSON.parse` rounds 9007199254740993 to
 * 9007199254740992.
 *
 * Guarantees: an integer that would change is found wherever it stands, and digits inside a string stay as they are.
 * JSON without such integers costs one search for sixteen digits.
 */

/** The treatment of integers that a number cannot hold. */
export type LargeIntegers = 'refuse' | 'text' | 'round';

/** Sixteen digits are the shortest that can be above 2^53. The first search skips most of a text. */
const DIGITS = /\d{16}/;
const INTEGER = /(?:^|[^.\d])\d{16}/;
/** A number with its fraction and exponent. */
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const MARK = 'millrace:large-integer:';

/** Stands for an integer that a number cannot hold. */
export class LargeInteger {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }

  /** The reason and the remedy, for the end of a message. */
  static explain(digits: string): string {
    return `the integer ${digits} is beyond the range that a number holds exactly, and would be rounded. Set \`largeIntegers: 'text'\` to receive such integers as text, or 'round'`;
  }
}

/**
 * Returns the text with each integer that a number cannot hold replaced: by a JSON string of its digits (`text`), or by
 * a string that `reviveLarge` converts to a LargeInteger (`refuse`).
 */
export function quoteLarge(text: string, mode: Exclude<LargeIntegers, 'round'>): string {
  if (!DIGITS.test(text) || !INTEGER.test(text)) return text;
  const prefix = mode === 'text' ? '"' : `"${MARK}`;
  let quoted = '';
  let copied = 0;
  let isFound = false;
  // Not a regular expression: one that matches strings overflows the stack for strings of many megabytes.
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (mode === 'refuse' && isMarked(text, at, end)) {
        quoted += `${text.slice(copied, at)}${prefix}`;
        copied = at + 1;
      }
      at = end;
    } else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      NUMBER.lastIndex = at;
      const token = NUMBER.exec(text)?.[0] ?? '-';
      if (isLost(token)) {
        quoted += `${text.slice(copied, at)}${prefix}${token}"`;
        copied = at + token.length;
        isFound = true;
      }
      at += token.length;
    } else at++;
  }
  return isFound ? quoted + text.slice(copied) : text;
}

/**
 * Whether the value at this place is a string that begins with the mark. A second mark then shows that it is a text.
 */
function isMarked(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start + 1);
  if (first !== MARK.charCodeAt(0) && first !== BACKSLASH) return false;
  try {
    const value = JSON.parse(text.slice(start, end)) as string;
    return value.startsWith(MARK) && !isBeforeColon(text, end);
  } catch {
    // The parser of the whole text reports it.
    return false;
  }
}

/** Whether the next character is a colon, so that the string in front of it is the name of a member. */
function isBeforeColon(text: string, end: number): boolean {
  let at = end;
  while (' \t\n\r'.includes(text.charAt(at)) && at < text.length) at++;
  return text.charAt(at) === ':';
}

/** The position after the string that begins here. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return text.length;
}

/** The reviver for JSON.parse of the result of `quoteLarge`. */
export function reviveLarge(_key: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value;
  const rest = value.slice(MARK.length);
  return rest.startsWith(MARK) ? rest : new LargeInteger(rest);
}

/** The digits of the first LargeInteger in a parsed value. */
export function firstLargeIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof LargeInteger) return value.digits;
  for (const inner of Object.values(value)) {
    const found = firstLargeIn(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A number that prints as it was written has lost nothing. */
function isLost(token: string): boolean {
  return token.length >= 16 && /^-?\d+$/.test(token) && String(Number(token)) !== token;
}
