/**
 * Writes a record as one JSON text.
 *
 * Guarantees: what is written is read back as an equal value. A value that JSON would drop or replace silently (NaN, a
 * function, a Map, an element that is undefined) is an error. Properties that are undefined are omitted.
 */
import { MillraceError, describeThrown, describeValue } from '../../connect/values.js';

/** The text, without a line end. Throws MILLRACE_JSON for a value that JSON cannot represent. */
export function jsonText(value: unknown): string {
  let text: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    const hint = error instanceof TypeError && describeThrown(error).includes('BigInt') ? '; write it as a string' : '';
    throw refusal(`JSON cannot represent the record: ${describeThrown(error)}${hint}`);
  }
  if (typeof text !== 'string') throw refusal(`JSON cannot represent ${describeValue(value)}`);
  assertWhole(value, '');
  return text;
}

/** Throws for a part that JSON.stringify has replaced or dropped. The value has no circles, or it would have thrown. */
function assertWhole(value: unknown, where: string): void {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return;
      throw lost(value, where);
    case 'function':
    case 'symbol':
      throw lost(value, where);
    case 'object':
      if (value !== null) assertWholeObject(value, where);
      return;
    default:
  }
}

function assertWholeObject(value: object, where: string): void {
  if (value instanceof Date && Number.isNaN(value.getTime())) throw lost('an invalid Date', where);
  // `toJSON` of the object determines the written value.
  if ('toJSON' in value && typeof value.toJSON === 'function') return;
  if (value instanceof Map || value instanceof Set || value instanceof Promise || ArrayBuffer.isView(value)) {
    throw lost(`a ${Object.prototype.toString.call(value).slice(8, -1)}`, where);
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      if (value[index] === undefined) throw lost(undefined, `${where}[${index}]`);
      assertWhole(value[index], `${where}[${index}]`);
    }
    return;
  }
  for (const key of Object.keys(value)) {
    if (key === '__proto__') throw refusal(`The record has the key '__proto__'${at(where)}, which no reader accepts`);
    assertWhole((value as Record<string, unknown>)[key], where === '' ? key : `${where}.${key}`);
  }
}

function lost(value: unknown, where: string): MillraceError {
  const what = typeof value === 'string' ? value : describeValue(value);
  return refusal(`JSON cannot represent ${what}${at(where)}: convert it to text or a number, or leave it out`);
}

function at(where: string): string {
  return where === '' ? '' : ` at '${where}'`;
}

function refusal(message: string): MillraceError {
  return new MillraceError('MILLRACE_JSON', message);
}
