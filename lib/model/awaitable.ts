/** Values that may come now or later. */

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** True for a promise of any library. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
