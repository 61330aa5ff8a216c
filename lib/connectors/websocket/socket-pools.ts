/**
 * The connections of a task to its upstream: a pool for all calls, and one for calls that are sent alone.
 *
 * Guarantees: no pool exceeds its size. After a connection broke or was refused, both pools wait for one backoff with
 * full jitter, because they have one upstream.
 */
import { SocketLink, type LinkHandlers, type LinkParts } from './socket-link.js';

export interface PoolParts extends LinkParts {
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  /** Called when a connection may be made again. */
  readonly wake: () => void;
}

export class SocketPools<In> {
  readonly shared = new Set<SocketLink<In>>();
  readonly lone = new Set<SocketLink<In>>();
  private readonly parts: PoolParts;
  private readonly handlers: LinkHandlers<In>;
  /** Consecutive connections that were refused or broke, and the backoff after the last one. */
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

  /** Makes connections until the pool has this many, unless a backoff runs. */
  fill(pool: Set<SocketLink<In>>, most: number): void {
    if (this.cancelBackoff !== undefined) return;
    while (pool.size < most) pool.add(new SocketLink(this.parts, this.handlers));
  }

  /** Call when the upstream has replied. It resets the backoff: a handshake alone proves nothing. */
  proved(): void {
    this.failures = 0;
  }

  /** Removes a connection that has ended. Returns its pool. */
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
