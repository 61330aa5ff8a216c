/**
 * Classes whose instances are recognised by `instanceof` across copies of the package. A project can have two copies: a
 * package with tasks may bring its own.
 *
 * Guarantees: a subclass that is not shared is recognised by its prototype, as usual.
 *
 * `instanceof` is one function for all objects of a process, so V8 cannot specialise it: 12 ns. A loop over records reads
 * the brand itself, which costs 1 ns where its records have few shapes.
 */

type AnyClass = abstract new (...args: never) => object;

/** The property that instances of a shared class have, with the value true. */
export function brandOf(name: string): symbol {
  return Symbol.for(`millrace.class.${name}`);
}

/** An object that may be an instance of a shared class. */
export type Branded = Readonly<Record<symbol, unknown>>;

/**
 * Makes `instanceof` of this class accept instances of the same class of another copy. Call it in a static block.
 * @param name the name of the class, which no other shared class has.
 */
export function shareClass(shared: AnyClass, name: string): void {
  const brand = brandOf(name);
  Object.defineProperty(shared.prototype, brand, { value: true });
  Object.defineProperty(shared, Symbol.hasInstance, {
    value(this: AnyClass, value: unknown): boolean {
      if (this !== shared) return hasPrototype.call(this, value);
      if (typeof value !== 'object' || value === null) return false;
      try {
        return (value as Branded)[brand] === true;
      } catch {
        // A proxy that cannot be read, perhaps thrown by a task, is not an instance.
        return false;
      }
    },
  });
}

/** The default behaviour of `instanceof`. */
const hasPrototype = Function.prototype[Symbol.hasInstance];
