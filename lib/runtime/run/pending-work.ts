/**
 * What tasks do beside the stream of their records: closing a reader, a delayed write. Promise: `settled` waits for all of
 * it, also for what is begun meanwhile; work that fails is told once.
 */
export class PendingWork {
  private readonly works = new Set<Promise<void>>();
  private readonly onFailure: (error: unknown) => void;

  constructor(onFailure: (error: unknown) => void) {
    this.onFailure = onFailure;
  }

  track(work: Promise<unknown>): void {
    const tracked = work.then(() => undefined, this.onFailure);
    this.works.add(tracked);
    void tracked.then(() => this.works.delete(tracked));
  }

  async settled(): Promise<void> {
    // A set may grow while it is gone through: what closing starts is waited for as well.
    for (const work of this.works) await work;
  }
}
