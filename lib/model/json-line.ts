/**
 * Events and dead letters as lines of JSON.
 *
 * Guarantees: every line is JSON by itself, for any record. Values that JSON cannot represent become text, and a record
 * that cannot be serialised is replaced by its description.
 */
import { describeValue, numberInWords } from './errors.js';
import type { RunEvent } from './events.js';
import type { DeadLetter } from './ports.js';

/** The maximal length of a description, in characters. */
const MAX_DESCRIPTION = 2000;

export function letterLine(letter: DeadLetter): string {
  try {
    return `${JSON.stringify(letter, replacer)}\n`;
  } catch {
    return `${JSON.stringify(describeRecord(letter), replacer)}\n`;
  }
}

/** The line with a description in place of the record, and a message of bounded length. */
export function shortLetterLine(letter: DeadLetter): string {
  const { record, message } = describeRecord(letter);
  return `${JSON.stringify({ ...letter, record, message: message.slice(0, MAX_DESCRIPTION) }, replacer)}\n`;
}

export function eventLine(event: RunEvent): string {
  try {
    return `${JSON.stringify(event, replacer)}\n`;
  } catch {
    if (event.type !== 'dead-letter') throw new TypeError(`An event of type ${event.type} is not plain data`);
    return `${JSON.stringify({ ...event, letter: describeRecord(event.letter) }, replacer)}\n`;
  }
}

function describeRecord(letter: DeadLetter): DeadLetter {
  return { ...letter, record: describeValue(letter.record, MAX_DESCRIPTION) };
}

function replacer(key: string, value: unknown): unknown {
  if (value === undefined && key === 'record') return null;
  // JSON omits members with such a value.
  if (key === 'record' && (typeof value === 'function' || typeof value === 'symbol')) return describeValue(value);
  return numberInWords(value);
}
