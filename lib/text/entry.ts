/** Looks up names that users choose, such as names of tasks, in plain objects. */

/** The object's own member of this name: `constructor` and `__proto__` are names like any other. */
export function entry<T>(object: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets the object's own member of this name, also if the name is `__proto__`. */
export function setEntry<T>(object: Record<string, T>, name: string, value: T): void {
  Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
