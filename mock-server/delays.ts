/**
 * Everything that is to happen later. The promise: nothing waits outside this list, so that stopping or restarting the
 * server leaves no timer alive; and no callback is lost, since each one gives back what its request holds (a slot of
 * a concurrency limit, its place in the in-flight count).
 */
export class Delays {
  readonly #waiting = new Map<NodeJS.Timeout, () => void>();

  /** How many callbacks wait. */
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

  /** Calls everything that waits, now. The sockets are gone by then: callbacks look before they write. */
  flush(): void {
    const callbacks = [...this.#waiting.values()];
    for (const timer of this.#waiting.keys()) clearTimeout(timer);
    this.#waiting.clear();
    for (const callback of callbacks) callback();
  }
}
