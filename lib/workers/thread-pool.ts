/**
 * The threads of one executor: a fixed number of slots, filled on demand.
 *
 * Guarantees: there are never more threads than slots. A thread that ended frees its slot, and its figures remain.
 * After `stop` no thread is left.
 */
import type { ResourceLimits } from 'node:worker_threads';
import type { ThreadNews } from '../model/events.js';
import type { ThreadLimits } from '../execution/executor.js';
import type { ThreadStats } from '../model/thread-stats.js';
import type { FromThread } from './protocol.js';
import { Thread } from './thread.js';

/** The receivers of a pool's events. */
export interface PoolHandlers {
  /** A thread is ready for work. */
  readonly onReady: () => void;
  readonly onMessage: (thread: Thread, message: FromThread) => void;
  /** A thread died by itself or exceeded a time limit. Not called once the pool was stopped. */
  readonly onDeath: (thread: Thread) => void;
  /** The thread of a slot started, was replaced or ended. */
  readonly onNews: (news: ThreadNews, slot: number) => void;
}

/** How many ended threads remain in the figures. */
const MAX_ENDED = 16;

export class ThreadPool {
  readonly size: number;
  private readonly limits: ThreadLimits;
  private readonly handlers: PoolHandlers;
  private readonly slots: (Thread | undefined)[];
  private readonly ended: ThreadStats[] = [];
  private deaths = 0;
  private readonly died = new Set<number>();
  private stopped = false;

  constructor(size: number, limits: ThreadLimits, handlers: PoolHandlers) {
    this.size = size;
    this.limits = limits;
    this.handlers = handlers;
    this.slots = new Array<Thread | undefined>(size).fill(undefined);
  }

  /** How many threads have died. Each of them was replaced, if there was more work. */
  get replaced(): number {
    return this.deaths;
  }

  get isStopped(): boolean {
    return this.stopped;
  }

  /** The living threads, by slot. */
  get threads(): readonly Thread[] {
    return this.slots.filter((thread) => thread !== undefined);
  }

  /** The thread of a slot, if there is one. Numbers beyond the size wrap around. */
  at(number: number): Thread | undefined {
    return this.slots[number % this.size];
  }

  /** The thread of a slot, which is started if there is none. */
  need(number: number): Thread {
    const slot = number % this.size;
    return (this.slots[slot] ??= this.start(slot));
  }

  /** Starts one more thread, unless one is starting already or all slots are occupied. */
  grow(): void {
    if (this.slots.some((thread) => thread?.isReady === false)) return;
    const slot = this.slots.indexOf(undefined);
    if (slot >= 0) this.slots[slot] = this.start(slot);
  }

  /** The slot with the smallest measure. Empty slots measure zero. */
  least(measure: (thread: Thread) => number): number {
    const loads = this.slots.map((thread) => (thread === undefined ? 0 : measure(thread)));
    return loads.indexOf(Math.min(...loads));
  }

  stats(): ThreadStats[] {
    return [...this.ended, ...this.threads.map((thread) => thread.stats())];
  }

  /** Ends all threads. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }

  private start(slot: number): Thread {
    const isReplacement = this.died.has(slot);
    return new Thread(slot, resourceLimitsOf(this.limits), {
      onReady: () => {
        this.handlers.onNews(isReplacement ? 'thread-replaced' : 'thread-started', slot);
        this.handlers.onReady();
      },
      onMessage: (thread, message) => {
        if (!this.stopped) this.handlers.onMessage(thread, message);
      },
      onEnd: (thread) => {
        this.slots[slot] = undefined;
        this.ended.push(thread.stats());
        if (this.ended.length > MAX_ENDED) this.ended.shift();
        this.handlers.onNews('thread-ended', slot);
        if (this.stopped) return;
        this.deaths++;
        this.died.add(slot);
        this.handlers.onDeath(thread);
      },
    });
  }
}

/** The limits under the names that Node uses. */
function resourceLimitsOf({ heapMb, youngHeapMb, codeMb, stackMb }: ThreadLimits): ResourceLimits {
  return {
    ...(heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb }),
    ...(youngHeapMb === undefined ? {} : { maxYoungGenerationSizeMb: youngHeapMb }),
    ...(codeMb === undefined ? {} : { codeRangeSizeMb: codeMb }),
    ...(stackMb === undefined ? {} : { stackSizeMb: stackMb }),
  };
}
