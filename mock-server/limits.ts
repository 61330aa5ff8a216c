/**
 * The two limits an upstream can have: requests per second (a token bucket) and requests at once (a gate). Both are
 * told the time or the load and hold no timer, so a test can step through them. The promise: a bucket admits at most
 * burst + perSecond · t requests in any t seconds; a gate's slowdown is proportional to how far it is over its limit.
 */

export class TokenBucket {
  #tokens: number;
  #atMs: number;

  /** Starts full. `burst` is the most that can be saved up, `nowMs` the time of its making. */
  constructor(
    readonly perSecond: number,
    readonly burst: number,
    nowMs: number,
  ) {
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** 0 if the request is admitted, else the ms until there will be a token. A refusal costs nothing. */
  take(nowMs: number): number {
    this.#tokens = Math.min(this.burst, this.#tokens + ((nowMs - this.#atMs) * this.perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return ((1 - this.#tokens) * 1000) / this.perSecond;
  }
}

export interface GateOptions {
  /** How many requests it works on at full speed. */
  readonly limit: number;
  /** What one request takes below the limit, where the server itself has no latency, in ms. */
  readonly serviceMs: number;
  /** Above the limit a request takes (in flight / limit) ^ growth times as long; 1 keeps throughput level. */
  readonly growth: number;
}

export class ConcurrencyGate {
  #inFlight = 0;

  constructor(readonly options: GateOptions) {}

  get isFull(): boolean {
    return this.#inFlight >= this.options.limit;
  }

  /** Whether those who entered are too many. */
  get isOver(): boolean {
    return this.#inFlight > this.options.limit;
  }

  enter(): void {
    this.#inFlight++;
  }

  leave(): void {
    this.#inFlight--;
  }

  /** What a request that has entered takes in all, given the latency it would have had. */
  slowed(latencyMs: number): number {
    const { limit, serviceMs, growth } = this.options;
    const alone = latencyMs > 0 ? latencyMs : serviceMs;
    return this.#inFlight <= limit ? alone : alone * (this.#inFlight / limit) ** growth;
  }
}
