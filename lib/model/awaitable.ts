/** Values that may come now or later, and a wait that another part of the program ends. */
import type { Clock } from './clock.js';
import { FatalTaskError } from './errors.js';

/** A value, or a promise of it. */
export type Awaitable<T> = T | PromiseLike<T>;

/** True for a promise of any library. A value whose `then` cannot be read is not a promise: nothing can wait for it. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return 'then' in value && typeof value.then === 'function';
  } catch {
    return false;
  }
}

/**
 * Throws MILLRACE_INVALID_OPTION if the value is a promise.
 * @param source the function that returned the value, such as "`add` of 'Totals'".
 */
export function refusePromise(value: unknown, source: string): void {
  if (!isPromiseLike(value)) return;
  // The rejection of a promise that no code handles would end the process.
  value.then(undefined, () => undefined);
  throw new FatalTaskError(
    'MILLRACE_INVALID_OPTION',
    `${source} returned a promise, but a value is needed here. Do asynchronous work in an asyncTask before or after it`,
  );
}

/**
 * Lets code wait until another part of the program reports a change.
 *
 * Guarantees: `wake` ends all waits that began before it. A wait that begins after a `wake` lasts until the next one,
 * so the caller checks its state before each wait. Waking costs nothing while nothing waits.
 */
export class Waiter {
  private readonly defer: ((resume: () => void) => void) | undefined;
  private promise: Promise<void> | undefined;
  private resolve: (() => void) | undefined;

  /** @param defer runs the resumption later. Default: at once. */
  constructor(defer?: (resume: () => void) => void) {
    this.defer = defer;
  }

  /** Whether a wait has begun that no `wake` has ended. */
  get isWaiting(): boolean {
    return this.resolve !== undefined;
  }

  /** Resolves at the next `wake`. */
  wait(): Promise<void> {
    this.promise ??= new Promise<void>((resolve) => {
      this.resolve = resolve;
    });
    return this.promise;
  }

  /** Resolves at the next `wake`, but at the latest after this time, which ends the other waits too. */
  async waitAtMost(delayMs: number, clock: Pick<Clock, 'schedule'>): Promise<void> {
    const cancel = clock.schedule(delayMs, () => {
      this.wake();
    });
    await this.wait();
    cancel();
  }

  /** Ends all waits that have begun. */
  wake(): void {
    const { resolve } = this;
    if (resolve === undefined) return;
    this.promise = undefined;
    this.resolve = undefined;
    if (this.defer === undefined) resolve();
    else this.defer(resolve);
  }
}
