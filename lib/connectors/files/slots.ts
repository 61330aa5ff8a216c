/** Lets a limited number of holders work at the same time, in the order in which they asked. */
export class Slots {
  private free: number;
  private readonly waiting: ((isFree: boolean) => void)[] = [];

  constructor(count: number) {
    this.free = count;
  }

  /** Resolves with true when the caller holds a slot, or with false once the signal has aborted. */
  acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.free > 0) {
      this.free--;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const settle = (isFree: boolean): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(isFree);
      };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(settle), 1);
        resolve(false);
      };
      this.waiting.push(settle);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next(true);
  }
}
