/**
 * Reads one JSON text as a record.
 *
 * Guarantees: an integer that a number cannot hold exactly, a number beyond the range of numbers, a key that an object
 * has twice, the key `__proto__`, and a value that is nested too deeply are faults, with a reason and a fix.
 * `JSON.parse` rounds, drops or accepts all of these. Fractions are rounded as `JSON.parse` rounds them.
 */
import { oneLine } from '../../connect/values.js';
import { LargeInteger, quoteLarge, reviveLarge, type LargeIntegers } from './large-integers.js';

/** How JSON is read. */
export interface JsonReading {
  /** The treatment of integers that a number cannot hold. */
  readonly largeIntegers: LargeIntegers;
  /** The treatment of an object with two members of the same name: a fault, or the last member counts. */
  readonly duplicateKeys: 'refuse' | 'last';
}

/** The reason why a text is not a record. */
export class JsonFault {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The most levels of objects and arrays. Code that handles values level by level would overflow the stack at more. */
const MOST_LEVELS = 1000;
/** The number of characters of a parser message that are kept. The message may quote the text. */
const MESSAGE_CHARACTERS = 120;

/** The value of the text, or the fault in it. */
export function readJson(text: string, { largeIntegers, duplicateKeys }: JsonReading): unknown {
  const quoted = largeIntegers === 'round' ? text : quoteLarge(text, largeIntegers);
  let value: unknown;
  try {
    const isMarked = quoted !== text && largeIntegers === 'refuse';
    value = isMarked ? (JSON.parse(quoted, reviveLarge) as unknown) : (JSON.parse(quoted) as unknown);
  } catch (error) {
    return new JsonFault(syntaxOf(text, error));
  }
  const found = new Inspection();
  found.look(value, 0);
  if (found.fault !== undefined) return new JsonFault(found.fault);
  // A text has a colon for each member, and more only within strings or where members have the same name.
  if (duplicateKeys === 'refuse' && found.members < colonsIn(text)) {
    const key = duplicateIn(text);
    if (key !== undefined) return new JsonFault(duplicated(key));
  }
  return value;
}

/**
 * The fault of a parsed value; undefined if it has none. Integers that numbers cannot hold must be LargeIntegers in it.
 */
export function faultIn(value: unknown): string | undefined {
  const found = new Inspection();
  found.look(value, 0);
  return found.fault;
}

/** Inspects each part of a value once. */
class Inspection {
  fault: string | undefined;
  /** The number of members of all objects. */
  members = 0;

  look(value: unknown, level: number): void {
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) this.fault ??= INFINITE;
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    if (value instanceof LargeInteger) {
      this.fault ??= LargeInteger.explain(value.digits);
      return;
    }
    if (level === MOST_LEVELS) {
      this.fault = `it is nested in more than ${MOST_LEVELS} levels, which is more than programs can handle`;
      return;
    }
    if (Array.isArray(value)) {
      for (const item of value) this.look(item, level + 1);
      return;
    }
    const keys = Object.keys(value);
    this.members += keys.length;
    for (const key of keys) {
      if (key === '__proto__') this.fault ??= PROTOTYPE;
      this.look((value as Record<string, unknown>)[key], level + 1);
    }
  }
}

const INFINITE = 'a number in it is beyond the range of numbers, and would become Infinity';
const PROTOTYPE =
  "it has the key '__proto__', which would change the prototype of an object that it is copied to. Rename the key where the file is made";

function duplicated(key: string): string {
  return `the key ${JSON.stringify(key)} occurs twice in one object, and one of its values would be lost. Set \`duplicateKeys: 'last'\` to use the last one`;
}

function colonsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++;
  return count;
}

/** The first key that an object of this valid JSON text has twice. */
function duplicateIn(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let string: string | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x7b:
        open.push(new Set());
        break;
      case 0x5b:
        open.push(undefined);
        break;
      case 0x7d:
      case 0x5d:
        open.pop();
        break;
      case 0x22: {
        const start = at;
        for (at++; text.charCodeAt(at) !== 0x22; at++) if (text.charCodeAt(at) === 0x5c) at++;
        string = text.slice(start, at + 1);
        break;
      }
      case 0x3a: {
        const key = JSON.parse(string as string) as string;
        const keys = open.at(-1);
        if (keys?.has(key) === true) return key;
        keys?.add(key);
        break;
      }
      default:
    }
  }
  return undefined;
}

function syntaxOf(text: string, error: unknown): string {
  if (text.trim() === '') return 'a value is missing';
  const message = error instanceof Error ? oneLine(error.message) : 'unreadable';
  const cut = message.length > MESSAGE_CHARACTERS ? `${message.slice(0, MESSAGE_CHARACTERS)}…` : message;
  return `it is not JSON: ${cut}`;
}
