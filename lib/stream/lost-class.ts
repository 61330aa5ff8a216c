/**
 * Finds values that the structured clone algorithm would copy as something else: instances of classes become plain objects,
 * without their methods.
 *
 * Guarantees: at most a fixed number of values is looked at, so the cost per call is bounded.
 */

const MOST_VALUES = 1000;
/** By name, because a value may come from another realm. */
const COPIED = new Set([
  'Object',
  'Array',
  'Map',
  'Set',
  'Date',
  'RegExp',
  'Error',
  'Boolean',
  'Number',
  'String',
  'ArrayBuffer',
  'DataView',
  'Buffer',
]);

/** The name of the first class whose instances would lose their methods; undefined if there is none. */
export function lostClass(value: unknown): string | undefined {
  const waiting: unknown[] = [value];
  for (let looked = 0; waiting.length > 0 && looked < MOST_VALUES; looked++) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || ArrayBuffer.isView(next)) continue;
    const prototype = Object.getPrototypeOf(next) as { readonly constructor?: { readonly name?: string } } | null;
    const name = prototype === null ? 'Object' : (prototype.constructor?.name ?? '');
    if (!COPIED.has(name) && !(next instanceof Error)) return name;
    if (next instanceof Map) waiting.push(...[...(next as Map<unknown, unknown>)].flat());
    else if (next instanceof Set) waiting.push(...(next as Set<unknown>));
    else waiting.push(...(Object.values(next) as unknown[]));
  }
  return undefined;
}
