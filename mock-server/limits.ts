/**
 * The two limits of an upstream: requests per second (a token bucket) and concurrent requests (a gate). Both receive
 * the time or the load as arguments and have no timers, so a test can step through them.
 *
 * Guarantees: a bucket admits at most burst + perSecond · t requests in any t seconds; the slowdown of a gate is
 * proportional to the load above its limit.
 */

export class TokenBucket {
  #tokens: number;
  #atMs: number;

  /** The bucket starts full. `burst` is its capacity in tokens, `nowMs` the time of creation. */
  constructor(
    readonly perSecond: number,
    readonly burst: number,
    nowMs: number,
  ) {
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /**
   * Acquires a token. Returns 0 if the request is admitted, else the ms until the next token. A refusal uses no token.
   */
  acquire(nowMs: number): number {
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
  /** The number of concurrent requests that run at full speed. */
  readonly limit: number;
  /** The duration of one request below the limit in ms, if the server itself has no latency. */
  readonly serviceMs: number;
  /**
   * Above the limit, the duration grows by the factor (in flight / limit) ^ growth; 1 keeps the throughput constant.
   */
  readonly growth: number;
}

export class ConcurrencyGate {
  #inFlight = 0;

  constructor(readonly options: GateOptions) {}

  get isFull(): boolean {
    return this.#inFlight >= this.options.limit;
  }

  /** Whether more requests than the limit have entered. */
  get isOver(): boolean {
    return this.#inFlight > this.options.limit;
  }

  enter(): void {
    this.#inFlight++;
  }

  leave(): void {
    this.#inFlight--;
  }

  /** The total duration of a request that has entered, given its latency below the limit. */
  slowed(latencyMs: number): number {
    const { limit, serviceMs, growth } = this.options;
    const alone = latencyMs > 0 ? latencyMs : serviceMs;
    return this.#inFlight <= limit ? alone : alone * (this.#inFlight / limit) ** growth;
  }
}
