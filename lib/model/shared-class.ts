/**
 * Classes whose instances are recognised by `instanceof` across copies of the package. A project can have two copies: a
 * package with tasks may bring its own.
 *
 * Guarantees: a subclass that is not shared is recognised by its prototype, as usual; recognising one record costs two
 * look-ups of a property.
 */

type AnyClass = abstract new (...args: never) => object;

/**
 * Makes `instanceof` of this class accept instances of the same class of another copy. Call it in a static block.
 * @param name the name of the class, which no other shared class has.
 */
export function shareClass(shared: AnyClass, name: string): void {
  const brand = Symbol.for(`millrace.class.${name}`);
  Object.defineProperty(shared.prototype, brand, { value: true });
  Object.defineProperty(shared, Symbol.hasInstance, {
    value(this: AnyClass, value: unknown): boolean {
      if (this !== shared) return hasPrototype.call(this, value);
      if (typeof value !== 'object' || value === null) return false;
      try {
        return (value as { readonly [key: symbol]: unknown })[brand] === true;
      } catch {
        // A proxy that cannot be read, perhaps thrown by a task, is not an instance.
        return false;
      }
    },
  });
}

/** The default behaviour of `instanceof`. */
const hasPrototype = Function.prototype[Symbol.hasInstance];
