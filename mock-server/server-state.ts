/**
 * What HTTP and WebSocket share while the server runs: the counters, the pending delays, the latency, the faults in
 * force and the scenario that changes them. The promise: a request meets exactly one set of faults from arrival to
 * reply, because both sides take the injector once and keep it; without faults there is no injector at all.
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

/** A request as a test wants to see it; each attempt is one. What the observer throws becomes a 500, or -32603. */
export interface RequestSeen {
  /** 'http', or 'ws' for a JSON-RPC call. */
  readonly transport: Transport;
  /** HTTP path or JSON-RPC method. */
  readonly route: string;
  /** Of the request; over WebSocket, of the handshake. */
  readonly headers: IncomingHttpHeaders;
  /** The parsed body, or the params of the call. */
  readonly body: unknown;
}

export interface StateOptions {
  readonly seed: number;
  readonly sampler: LatencySampler | undefined;
  readonly bodyLimitBytes: number;
  readonly onRequest: ((request: RequestSeen) => void) | undefined;
  /** Asked to restart by a fault set; must not throw. */
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

  /** Take it once per request and keep it: `leave` belongs to the injector that was entered. */
  get injector(): FaultInjector | undefined {
    return this.#injector;
  }

  /** Replaces all faults; every stream of random numbers starts anew. Throws FaultsError and changes nothing. */
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

  /** Starts a scenario (checked already): timed steps run from now, counted ones as requests arrive. */
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

  /** Counts a request. A step after n requests is in force for the request that follows the nth. */
  arrived(count: RouteCount, records = 1): void {
    if (this.activity.requests >= this.#nextStepAt) this.#step();
    this.activity.requests++;
    count.requests++;
    count.records += records;
  }

  /** Runs `callback` after `ms`, or at once: a zero latency costs no timer and no turn of the event loop. */
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
