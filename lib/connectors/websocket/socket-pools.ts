/**
 * The connections of a task to its upstream: those that all calls share, and those for calls that are sent alone.
 *
 * Promise: never more than the pool may have; after a connection broke or was refused none is made until a backoff with
 * full jitter is over, which is shared by both, because the upstream is.
 */
import { SocketLink, type LinkHandlers, type LinkParts } from './socket-link.js';

export interface PoolParts extends LinkParts {
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** It may be worth connecting again. */
  readonly wake: () => void;
}

export class SocketPools<In> {
  readonly shared = new Set<SocketLink<In>>();
  readonly lone = new Set<SocketLink<In>>();
  private readonly parts: PoolParts;
  private readonly handlers: LinkHandlers<In>;
  /** Connections refused or broken in a row, and the wait until the next may be made. */
  private failures = 0;
  private cancelBackoff: (() => void) | undefined;

  constructor(parts: PoolParts, handlers: LinkHandlers<In>) {
    this.parts = parts;
    this.handlers = handlers;
  }

  get all(): readonly SocketLink<In>[] {
    return [...this.shared, ...this.lone];
  }

  /** The open shared connection with room and the fewest unanswered calls. */
  idlest(): SocketLink<In> | undefined {
    let best: SocketLink<In> | undefined;
    for (const link of this.shared) {
      if (link.hasRoom && (best === undefined || link.pending.size < best.pending.size)) best = link;
    }
    return best;
  }

  /** Makes connections until the pool has so many, unless it is too soon. */
  fill(pool: Set<SocketLink<In>>, most: number): void {
    if (this.cancelBackoff !== undefined) return;
    while (pool.size < most) pool.add(new SocketLink(this.parts, this.handlers));
  }

  /** A connection was made: the upstream is there. */
  opened(): void {
    this.failures = 0;
  }

  /** A connection is over; gives the pool it was in. */
  remove(link: SocketLink<In>): Set<SocketLink<In>> {
    const pool = this.lone.has(link) ? this.lone : this.shared;
    pool.delete(link);
    return pool;
  }

  backOff(): void {
    if (this.cancelBackoff !== undefined) return;
    const { settings, clock, random, wake } = this.parts;
    const boundMs = Math.min(settings.maxReconnectMs, settings.reconnectMs * 2 ** this.failures++);
    this.cancelBackoff = clock.schedule(random() * boundMs, () => {
      this.cancelBackoff = undefined;
      wake();
    });
  }

  async close(): Promise<void> {
    this.cancelBackoff?.();
    await Promise.all(this.all.map((link) => link.close()));
  }
}
