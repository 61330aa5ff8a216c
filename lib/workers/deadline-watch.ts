/**
 * Stops threads that work on one record for too long. Each thread writes its position to shared memory, with two writes
 * per record; a timer compares the positions a few times within each time limit.
 *
 * Guarantees: no record is stopped before its limit, and none runs more than a quarter longer; no timer is left while
 * no work has a limit.
 */
import type { Position, Thread } from './thread.js';

const LOOKS_PER_LIMIT = 4;

export class DeadlineWatch {
  private readonly watched = new Map<Thread, { sinceMs: number; place: string }>();
  private timer: NodeJS.Timeout | undefined;
  private intervalMs = Infinity;

  /** Watches the thread, which received work with this limit in milliseconds. */
  watch(thread: Thread, timeoutMs: number): void {
    if (!this.watched.has(thread)) this.watched.set(thread, { sinceMs: 0, place: '' });
    const intervalMs = Math.max(1, timeoutMs / LOOKS_PER_LIMIT);
    if (this.timer !== undefined && intervalMs >= this.intervalMs) return;
    clearTimeout(this.timer);
    this.intervalMs = intervalMs;
    this.arm();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.watched.clear();
  }

  private arm(): void {
    this.timer = setTimeout(this.look, this.intervalMs);
  }

  private readonly look = (): void => {
    const nowMs = performance.now();
    for (const [thread, seen] of this.watched) {
      if (thread.hasEnded || !hasLimit(thread)) {
        this.watched.delete(thread);
        continue;
      }
      const position = thread.position();
      const place = position === undefined ? '' : `${position.chunk} ${position.member} ${position.index}`;
      if (place === '' || place !== seen.place) {
        seen.place = place;
        seen.sinceMs = nowMs;
      } else if (nowMs - seen.sinceMs >= limitOf(thread, position) && thread.stoppedAt === undefined) {
        thread.stoppedAt = position;
        void thread.stop();
      }
    }
    this.timer = undefined;
    if (this.watched.size > 0) this.arm();
    else this.intervalMs = Infinity;
  };
}

/** The limit of the chunk that the thread works on, in milliseconds; Infinity if it has none. */
function limitOf(thread: Thread, position: Position | undefined): number {
  const present = thread.outstanding.find(({ number }) => number === position?.chunk);
  return present?.workload.spec.timeoutMs ?? Infinity;
}

/** Whether any work that the thread has received has a limit. */
function hasLimit(thread: Thread): boolean {
  return thread.outstanding.some(({ workload }) => workload.spec.timeoutMs !== undefined);
}
