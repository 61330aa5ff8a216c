/**
 * Work of tasks beside the stream of their records: closing a reader, a delayed write.
 *
 * Guarantees: `settled` waits for all work, also for work that starts meanwhile; each failure is reported once.
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
    // Iterating a Set includes entries added meanwhile, so this also waits for work that a close starts.
    for (const work of this.works) await work;
  }
}
