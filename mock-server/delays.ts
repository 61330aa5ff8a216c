/**
 * The delayed callbacks of the server.
 *
 * Guarantees: every timer is in this list, so no timer is left after the server stops or restarts; every callback is
 * called, because it releases the resources of its request (a slot of a concurrency limit, its place in the in-flight
 * count).
 */
export class Delays {
  readonly #waiting = new Map<NodeJS.Timeout, () => void>();

  /** The number of waiting callbacks. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `callback` once, after `ms` (whole milliseconds, as Node counts them) or when flushed. */
  after(ms: number, callback: () => void): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      callback();
    }, ms);
    this.#waiting.set(timer, callback);
  }

  /** Calls every waiting callback now. The sockets are already closed, so callbacks check them before they write. */
  flush(): void {
    const callbacks = [...this.#waiting.values()];
    for (const timer of this.#waiting.keys()) clearTimeout(timer);
    this.#waiting.clear();
    for (const callback of callbacks) callback();
  }
}
