/** Limits how many of several waiters work at a time, first come first served. */
export class Turns {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(count: number) {
    this.free = count;
  }

  /** Resolves when it is the caller's turn. */
  wait(): Promise<void> {
    if (this.free > 0) {
      this.free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.waiting.push(resolve);
    });
  }

  /** Ends the turn of the caller. */
  done(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next();
  }
}
