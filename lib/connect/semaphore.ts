/** A limit for work at the same time, such as the files that a source reads at once. */

/** At most `permits` callers work at the same time, in the order in which they asked. */
export class Semaphore {
  private free: number;
  private readonly waiting: ((isGranted: boolean) => void)[] = [];

  constructor(permits: number) {
    this.free = permits;
  }

  /** Resolves with true when the caller has a permit, or with false once the signal has aborted. */
  acquire(signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted === true) return Promise.resolve(false);
    if (this.free > 0) {
      this.free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const settle = (isGranted: boolean): void => {
        signal?.removeEventListener('abort', onAbort);
        resolve(isGranted);
      };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(settle), 1);
        resolve(false);
      };
      this.waiting.push(settle);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Returns the permit of the caller. The caller that has waited longest gets it. */
  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next(true);
  }
}
