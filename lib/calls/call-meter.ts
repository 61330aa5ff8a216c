/** How long calls wait and take, how many are under way, and what else is counted of them over a run. */
import { ArrivalTimes } from '../stream/arrival-times.js';
import type { TaskScope } from '../stream/task-scope.js';
import { sampleWeight } from '../measure/sampling.js';
import type { Call } from './call.js';

export class CallMeter<In> {
  readonly counts = { retries: 0, timeouts: 0, hedgesWon: 0, hedgesLost: 0, late: 0 };
  private readonly scope: TaskScope;
  private readonly arrivals: ArrivalTimes;
  private started = 0;
  private ended = 0;
  private present = 0;

  /** @param window the most calls at a time. */
  constructor(scope: TaskScope, window: number) {
    this.scope = scope;
    this.arrivals = new ArrivalTimes(window);
  }

  /** Calls that have started and not ended, whether an attempt is under way or not. */
  get active(): number {
    return this.present;
  }

  arrive(count: number): void {
    this.arrivals.arrive(count, this.scope.clock.monotonicMs());
  }

  /** A first attempt is made. */
  start(nowMs: number): void {
    const { scope, started } = this;
    this.present++;
    if (started === 0) scope.account.firstAtMs ??= nowMs;
    if (sampleWeight(started) > 0) scope.sampleQueueing(nowMs - this.arrivals.of(started));
    this.started++;
  }

  end(call: Call<In>, nowMs: number): void {
    if (!call.isBegun) return;
    this.present--;
    if (sampleWeight(this.ended++) > 0) this.scope.sampleLatency(nowMs - call.firstAtMs, call.lineage);
  }
}
