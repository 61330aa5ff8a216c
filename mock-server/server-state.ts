/**
 * The state that HTTP and WebSocket share: the counters, the pending delays, the latency, the active faults and the
 * scenario that changes them.
 *
 * Guarantees: a request has one set of faults from its arrival to its reply, because both interfaces read the injector
 * once per request and keep it; without faults there is no injector.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Activity } from './activity.js';
import type { RouteCount } from './activity.js';
import { Delays } from './delays.js';
import { FaultInjector } from './fault-injector.js';
import type { Transport } from './fault-injector.js';
import { resolveFaults } from './fault-options.js';
import type { ResolvedFaultSet, ScenarioStep } from './fault-options.js';
import type { LatencySampler } from './latency.js';

/**
 * A request, as passed to `onRequest`; each attempt is one request. If the observer throws, the reply is 500 or -32603.
 */
export interface RequestSeen {
  /** 'http', or 'ws' for a JSON-RPC call. */
  readonly transport: Transport;
  /** HTTP path or JSON-RPC method. */
  readonly route: string;
  /** The headers of the request; over WebSocket, those of the handshake. */
  readonly headers: IncomingHttpHeaders;
  /** The parsed body, or the params of the call. */
  readonly body: unknown;
}

export interface StateOptions {
  readonly seed: number;
  readonly sampler: LatencySampler | undefined;
  readonly bodyLimitBytes: number;
  readonly onRequest: ((request: RequestSeen) => void) | undefined;
  /** Called when a fault set contains a restart; must not throw. */
  readonly restart: (downMs: number) => void;
}

export class ServerState {
  readonly activity = new Activity();
  readonly delays = new Delays();
  #sets: readonly ResolvedFaultSet[] = [];
  #injector: FaultInjector | undefined;
  #steps: ScenarioStep[] = [];
  #nextStepAt = Number.POSITIVE_INFINITY;
  readonly #stepTimers = new Set<NodeJS.Timeout>();

  constructor(readonly options: StateOptions) {}

  /** The faults in force, with their defaults. */
  get faults(): readonly ResolvedFaultSet[] {
    return this.#sets;
  }

  /** Read it once per request and keep it: `leave` must be called on the injector that was entered. */
  get injector(): FaultInjector | undefined {
    return this.#injector;
  }

  /**
   * Replaces all faults and restarts every random stream. For invalid faults, throws FaultsError and changes nothing.
   */
  setFaults(given: unknown): void {
    this.#sets = resolveFaults(given);
    const lasting = this.#sets.filter((set) =>
      Object.keys(set).some((key) => !['restart', 'route', 'seed'].includes(key)),
    );
    this.#injector =
      lasting.length === 0
        ? undefined
        : new FaultInjector(this.#sets, this.options.seed, (kind) => {
            this.activity.fired(kind);
          });
    const restart = this.#sets.find((set) => set.restart !== undefined)?.restart;
    if (restart !== undefined) {
      this.activity.fired('restart');
      this.options.restart(restart.downMs);
    }
  }

  /**
   * Starts a validated scenario. The time of timed steps counts from now; counted steps take effect as requests arrive.
   */
  play(steps: readonly ScenarioStep[]): void {
    for (const step of steps) {
      if (step.atMs === undefined) continue;
      const timer = setTimeout(() => {
        this.#stepTimers.delete(timer);
        this.setFaults(step.faults);
      }, step.atMs);
      this.#stepTimers.add(timer);
    }
    this.#steps = steps
      .filter((step) => step.afterRequests !== undefined)
      .sort((one, other) => (one.afterRequests ?? 0) - (other.afterRequests ?? 0));
    this.#nextStepAt = this.#steps[0]?.afterRequests ?? Number.POSITIVE_INFINITY;
  }

  /** Ends the scenario, so that stopping leaves no timer. */
  stopPlaying(): void {
    for (const timer of this.#stepTimers) clearTimeout(timer);
    this.#stepTimers.clear();
    this.#nextStepAt = Number.POSITIVE_INFINITY;
  }

  /** Counts a request. A step after n requests takes effect for the request after the nth. */
  arrived(count: RouteCount, records = 1): void {
    if (this.activity.requests >= this.#nextStepAt) this.#step();
    this.activity.requests++;
    count.requests++;
    count.records += records;
  }

  /** Calls `callback` after `ms`. Zero latency calls it at once, without a timer or a turn of the event loop. */
  later(ms: number, callback: () => void): void {
    if (ms > 0) this.delays.after(ms, callback);
    else callback();
  }

  #step(): void {
    while (this.activity.requests >= this.#nextStepAt) {
      const step = this.#steps.shift();
      this.#nextStepAt = this.#steps[0]?.afterRequests ?? Number.POSITIVE_INFINITY;
      if (step !== undefined) this.setFaults(step.faults);
    }
  }
}
