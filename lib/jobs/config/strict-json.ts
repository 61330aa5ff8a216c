/**
 * A JSON parser that is stricter than `JSON.parse`: people write configurations by hand, and a value that is silently
 * misread costs a day.
 *
 * Guarantees: a valid document has the same value as with `JSON.parse`; a malformed one is refused with line and
 * column. Also refused are duplicate keys, keys that reach into prototypes, and numbers that are not finite.
 */
import { printable } from '../../text/printable.js';

/** The reason why a document was refused, and the place; lines and columns count from 1. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  /** `syntax`: not JSON; `refused`: JSON that this parser does not accept. */
  readonly kind: 'syntax' | 'refused';
  readonly line: number;
  readonly column: number;

  constructor(kind: 'syntax' | 'refused', reason: string, place: { readonly line: number; readonly column: number }) {
    super(reason);
    this.kind = kind;
    this.line = place.line;
    this.column = place.column;
  }
}

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** Keys that reach the prototype of an object if code copies the object carelessly. */
export const FORBIDDEN_KEYS: readonly string[] = ['__proto__', 'constructor', 'prototype'];

/** More levels than any real configuration has, and far fewer than the stack allows. */
const MAX_DEPTH = 500;

/** The value of a JSON document. Throws a JsonError. */
export function parseStrictJson(text: string): JsonValue {
  return new Reader(text).document();
}

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WORD = /[\p{L}\p{N}_$+.-]+/uy;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Reader {
  private readonly text: string;
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  document(): JsonValue {
    const value = this.value();
    this.space();
    if (this.at < this.text.length) throw this.unexpected('the end of the file');
    return value;
  }

  private value(): JsonValue {
    this.space();
    switch (this.text[this.at]) {
      case '{':
        return this.nested(() => this.object());
      case '[':
        return this.nested(() => this.array());
      case '"':
        return this.string();
      default:
        return this.scalar();
    }
  }

  private nested<T>(read: () => T): T {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw this.error('refused', `it is nested more than ${MAX_DEPTH} levels deep`);
    const value = read();
    this.depth -= 1;
    return value;
  }

  private object(): JsonObject {
    const object: JsonObject = {};
    const starts = new Map<string, number>();
    this.at += 1;
    if (this.skips('}')) return object;
    for (;;) {
      this.space();
      const start = this.at;
      if (this.text[start] !== '"') throw this.unexpected('a key in double quotes');
      const key = this.string();
      const firstAt = starts.get(key);
      if (firstAt !== undefined) {
        const { line } = placeOf(this.text, firstAt);
        throw this.error(
          'refused',
          `the key '${printable(key)}' appears twice, first in line ${line}; remove one`,
          start,
        );
      }
      if (FORBIDDEN_KEYS.includes(key))
        throw this.error('refused', `the key '${key}' is not allowed; remove it`, start);
      starts.set(key, start);
      if (!this.skips(':')) throw this.unexpected("':' after the key");
      object[key] = this.value();
      if (this.skips('}')) return object;
      if (!this.skips(',')) throw this.unexpected("',' or '}'");
    }
  }

  private array(): JsonValue[] {
    const array: JsonValue[] = [];
    this.at += 1;
    if (this.skips(']')) return array;
    for (;;) {
      array.push(this.value());
      if (this.skips(']')) return array;
      if (!this.skips(',')) throw this.unexpected("',' or ']'");
    }
  }

  private string(): string {
    const start = this.at;
    this.at += 1;
    let value = '';
    for (;;) {
      value += this.match(PLAIN);
      const character = this.text[this.at];
      if (character === '"') {
        this.at += 1;
        return value;
      }
      if (character === '\\') value += this.escape();
      else if (character === undefined) throw this.error('syntax', 'a string is not closed', start);
      else if (character === '\n' || character === '\r')
        throw this.error('syntax', 'a string is not closed in its line; write \\n for a new line in it', start);
      else throw this.error('syntax', `a string holds the control character ${printable(character)}; write it escaped`);
    }
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? '';
    const plain = ESCAPES[letter];
    if (plain !== undefined) {
      this.at += 2;
      return plain;
    }
    const digits = this.text.slice(this.at + 2, this.at + 6);
    if (letter !== 'u' || !/^[\da-fA-F]{4}$/.test(digits)) {
      const hint = letter === 'u' ? 'four hexadecimal digits must follow \\u' : 'write \\\\ for a backslash';
      throw this.error('syntax', `'\\${printable(letter)}' is no escape in a string; ${hint}`);
    }
    this.at += 6;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  private scalar(): JsonValue {
    const start = this.at;
    const number = this.match(NUMBER);
    const rest = this.match(WORD);
    const word = number + rest;
    if (number !== '' && rest === '') {
      const value = Number(number);
      if (Number.isFinite(value)) return value;
      throw this.error('refused', `the number ${number} is too large; write a smaller one`, start);
    }
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
    this.at = start;
    if (word === '') throw this.unexpected('a value');
    throw this.error('syntax', `${printable(word)} is not JSON; write a text in double quotes`, start);
  }

  /** Skips white space, and then the character if it is next. */
  private skips(character: string): boolean {
    this.space();
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private space(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private unexpected(expected: string): JsonError {
    const rest = this.text.slice(this.at, this.at + 2);
    const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    const before = this.text.slice(0, this.at).trimEnd().at(-1);
    if (rest === '') return this.error('syntax', `expected ${expected}, but the file ends`);
    if (before === ',' && (character === '}' || character === ']'))
      return this.error('syntax', `there is a comma before '${character}'; remove it`);
    if (/^(\/\/|\/\*|#)/.test(rest)) return this.error('syntax', 'JSON has no comments; remove it');
    if (character === "'") return this.error('syntax', `expected ${expected}, got a single quote; use double quotes`);
    return this.error('syntax', `expected ${expected}, got '${printable(character)}'`);
  }

  private error(kind: 'syntax' | 'refused', reason: string, at = this.at): JsonError {
    return new JsonError(kind, reason, placeOf(this.text, at));
  }
}

/** Line and column of an index; a line ends with LF, CRLF or CR. */
function placeOf(text: string, at: number): { line: number; column: number } {
  const lines = text.slice(0, at).split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines.at(-1) ?? '').length + 1 };
}
