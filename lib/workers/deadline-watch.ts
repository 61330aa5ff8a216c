/**
 * Stops threads that are on one record for too long. Threads say where they are by two writes a record; this looks a few
 * times in each time limit. Promises: no record is stopped before its time; none takes more than a quarter longer; while
 * nothing with a limit is under way, no timer is left.
 */
import type { Thread } from './thread.js';

const LOOKS_PER_LIMIT = 4;

export class DeadlineWatch {
  private readonly watched = new Map<Thread, { sinceMs: number; place: string }>();
  private timer: NodeJS.Timeout | undefined;
  private intervalMs = Infinity;

  /** The thread was given work with this limit, in milliseconds. */
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
      const place = position === undefined ? '' : `${position.chunk} ${position.stage} ${position.index}`;
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

/** The limit of what the thread is on; undefined where nothing it has in hand has one. */
function limitOf(thread: Thread): number | undefined {
  const [first, ...others] = thread.outstanding;
  return first?.job.spec.timeoutMs ?? others.find(({ job }) => job.spec.timeoutMs !== undefined)?.job.spec.timeoutMs;
}
