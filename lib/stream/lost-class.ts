/**
 * Finds values that the structured clone algorithm would copy as something else: instances of classes become plain
 * objects, without their methods.
 *
 * Guarantees: at most a fixed number of values is visited, so the cost per call is bounded.
 */

const MOST_VALUES = 1000;
/** Classes that are copied as they are. By name, because a value may come from another realm. */
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
  // Values beyond the limit are not queued, because a set may have millions of members.
  const queue = (values: Iterable<unknown>): void => {
    for (const one of values) {
      if (waiting.length >= MOST_VALUES) return;
      waiting.push(one);
    }
  };
  for (let looked = 0; waiting.length > 0 && looked < MOST_VALUES; looked++) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null || ArrayBuffer.isView(next)) continue;
    const prototype = Object.getPrototypeOf(next) as { readonly constructor?: { readonly name?: string } } | null;
    const name = prototype === null ? 'Object' : (prototype.constructor?.name ?? '');
    if (!COPIED.has(name) && !(next instanceof Error)) return name;
    if (next instanceof Map) {
      queue(next.keys());
      queue(next.values());
    } else if (next instanceof Set || Array.isArray(next)) queue(next);
    else queue(membersOf(next));
  }
  return undefined;
}

/** The values of the object's own members, one by one. */
function* membersOf(value: object): Generator {
  for (const name in value) if (Object.hasOwn(value, name)) yield (value as Readonly<Record<string, unknown>>)[name];
}
