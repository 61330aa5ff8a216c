/**
 * Stops threads that work on one record for too long. Each thread writes its position to shared memory, with two writes
 * per record; a timer compares the positions a few times within each time limit.
 *
 * Guarantees: no record is stopped before its limit, and none runs more than a quarter longer; no timer is left while
 * no work has a limit.
 */
import type { Thread } from './thread.js';

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
      const timeoutMs = limitOf(thread);
      if (thread.hasEnded || timeoutMs === undefined) {
        this.watched.delete(thread);
        continue;
      }
      const position = thread.position();
      const place = position === undefined ? '' : `${position.chunk} ${position.member} ${position.index}`;
      if (place === '' || place !== seen.place) {
        seen.place = place;
        seen.sinceMs = nowMs;
      } else if (nowMs - seen.sinceMs >= timeoutMs && thread.stoppedAt === undefined) {
        thread.stoppedAt = position;
        void thread.stop();
      }
    }
    this.timer = undefined;
    if (this.watched.size > 0) this.arm();
    else this.intervalMs = Infinity;
  };
}

/** The limit of the thread's present work; undefined if none of it has a limit. */
function limitOf(thread: Thread): number | undefined {
  const [first, ...others] = thread.outstanding;
  return first?.job.spec.timeoutMs ?? others.find(({ job }) => job.spec.timeoutMs !== undefined)?.job.spec.timeoutMs;
}
