/**
 * Freezes the records of a batch, with all plain objects and arrays in them, so that a task that changes a record
 * throws.
 *
 * Guarantees: instances of classes (dates, buffers, maps) stay as they are; the members of a value that is frozen
 * already are not visited.
 */
import type { Batch } from '../model/record.js';

export function freezeRecords({ values }: Batch<unknown>): void {
  for (const value of values) freeze(value);
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || !isPlain(value) || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
