/**
 * The counters of the server.
 *
 * Guarantees: counting costs a few additions per request, because each route holds its own counters and needs no
 * look-up; a snapshot is a plain JSON value that later traffic does not change.
 */

/** A snapshot of the counters, from `server.stats` or `GET /control/stats`. Control routes are not counted. */
export interface ServerStats {
  /** Requests that arrived, per HTTP path or JSON-RPC method. `records` counts the items of batch bodies. */
  readonly routes: Readonly<Record<string, RouteCount>>;
  /** All requests together: HTTP requests and single JSON-RPC calls. */
  readonly requests: number;
  /** Replies by HTTP status, without the replies that a fault spoils; for JSON-RPC by error code, or `ok`. */
  readonly replies: Readonly<Record<string, number>>;
  /** The number of times that each kind of fault fired. */
  readonly faults: Readonly<Record<string, number>>;
  /** The number of requests in work now. */
  readonly inFlight: number;
  /** The largest number of requests that were in work at the same time. */
  readonly peakInFlight: number;
  /** TCP connections: open now, opened in total, and the peak. `webSockets*` count the upgraded connections. */
  readonly connections: {
    readonly open: number;
    readonly opened: number;
    readonly peak: number;
    readonly webSocketsOpen: number;
    readonly webSocketsOpened: number;
  };
  /** WebSocket messages received. */
  readonly messages: number;
  /** The number of times that the server closed all sockets and listened again, by a fault or by `restart`. */
  readonly restarts: number;
}

/** The counters of one route. */
export interface RouteCount {
  /** HTTP requests or JSON-RPC calls that arrived. */
  requests: number;
  /** Items of batch bodies; 1 for any other body that could be read. */
  records: number;
}

export class Activity {
  requests = 0;
  inFlight = 0;
  peakInFlight = 0;
  open = 0;
  opened = 0;
  peakOpen = 0;
  webSocketsOpen = 0;
  webSocketsOpened = 0;
  messages = 0;
  restarts = 0;
  readonly #routes = new Map<string, RouteCount>();
  readonly #replies = new Map<string | number, number>();
  readonly #faults = new Map<string, number>();

  /** The counter of a route, created at its first use. Callers keep the object. */
  route(name: string): RouteCount {
    let count = this.#routes.get(name);
    if (count === undefined) {
      count = { requests: 0, records: 0 };
      this.#routes.set(name, count);
    }
    return count;
  }

  enter(): void {
    if (++this.inFlight > this.peakInFlight) this.peakInFlight = this.inFlight;
  }

  leave(): void {
    this.inFlight--;
  }

  connected(): void {
    this.opened++;
    if (++this.open > this.peakOpen) this.peakOpen = this.open;
  }

  replied(status: string | number): void {
    this.#replies.set(status, (this.#replies.get(status) ?? 0) + 1);
  }

  fired(kind: string): void {
    this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1);
  }

  snapshot(): ServerStats {
    const routes: Record<string, RouteCount> = {};
    for (const [name, count] of this.#routes) if (count.requests > 0) routes[name] = { ...count };
    return {
      routes,
      requests: this.requests,
      replies: Object.fromEntries(this.#replies),
      faults: Object.fromEntries(this.#faults),
      inFlight: this.inFlight,
      peakInFlight: this.peakInFlight,
      connections: {
        open: this.open,
        opened: this.opened,
        peak: this.peakOpen,
        webSocketsOpen: this.webSocketsOpen,
        webSocketsOpened: this.webSocketsOpened,
      },
      messages: this.messages,
      restarts: this.restarts,
    };
  }
}
